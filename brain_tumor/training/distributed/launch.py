"""Start the worker processes of a training on this machine, watch them, and end them in every case.

Lightning would start them by running this program's command line again: in a sweep each of them would then run the
sweep itself, and in a search each would draw other settings. Here they receive this job's composed configuration, and
Lightning finds variables in the environment that say that the processes are started from outside.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import BrainTumorError, PreemptedError, RankError
from brain_tumor.training.distributed.world import World

_GRACE = 10.0
"""Seconds that this process has to fail by itself after a worker died, before it is ended."""
_EXIT_SECONDS = 3.0
"""Seconds that a worker whose connection broke may take to exit."""
_JOIN_SECONDS = 20.0
"""Seconds that workers have to exit by themselves after the last step."""
_NO_ANSWER = ("Timed out", "timed out", "Timeout", "Connection closed by peer", "Connection reset")
"""Parts of the errors of gloo and NCCL when a process is gone or hangs."""
_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "WORLD_SIZE", "LOCAL_RANK")


class Workers:
    """Worker processes, ranks 1 to size − 1; they wait until `join` sends them the configuration."""

    def __init__(self, size: int, run_dir: Path, threads: int) -> None:
        self._run_dir, self._joined = run_dir, False
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for rank in range(1, size):
            with self._log(rank).open("wb") as log:
                self._processes[rank] = subprocess.Popen(
                    [sys.executable, "-m", "brain_tumor.training.distributed.worker"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment | {"LOCAL_RANK": str(rank)},
                )

    def _log(self, rank: int) -> Path:
        return self._run_dir / f"rank_{rank}.log"

    def join(self, cfg: DictConfig) -> None:
        """Send the configuration: the workers build the same training and fit.

        Raises:
            RankError: A worker has ended already.
        """
        document = OmegaConf.to_yaml(cfg, resolve=True).encode()
        for process in self._processes.values():
            try:
                process.stdin.write(document)  # type: ignore[union-attr]
                process.stdin.close()  # type: ignore[union-attr]
            except OSError as error:
                raise RankError(self.failure() or str(error)) from error
        self._joined = True

    def failure(self, patience: float = 0) -> str | None:
        """Wait some seconds for a worker to fail; return how it failed, or None if none does."""
        deadline = time.monotonic() + patience
        while not (reason := self._first_failure()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return reason

    def _first_failure(self) -> str | None:
        for rank, process in self._processes.items():
            code = process.poll()
            if code:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                lines = self._log(rank).read_text(errors="replace").strip().splitlines()
                said = f": {lines[-1]}" if lines else ""
                return f"Process {rank} of {len(self._processes) + 1} {how}{said} (its log: {self._log(rank)})."
        return None

    def end(self, patience: float) -> None:
        """Wait for all workers, kill those that remain, and remove blank logs."""
        deadline = time.monotonic() + patience
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()) if self._joined else 0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin and not process.stdin.closed:
                process.stdin.close()
        for rank in self._processes:
            if self._log(rank).is_file() and not self._log(rank).read_bytes().strip():
                self._log(rank).unlink()


@contextmanager
def start_workers(world: World, run_dir: Path, on_death: Callable[[str], None]) -> Iterator[Workers]:
    """Start ranks 1, 2, … unless there is a single process, or torchrun or Slurm start them.

    Args:
        world: Processes of the training.
        run_dir: Directory for the logs of the workers.
        on_death: Callback that gets the reason before this process is killed because it waits for a dead worker.

    Raises:
        RankError: A worker died or did not answer; raised instead of the error that this caused here.
    """
    ours = world.launcher == "own" and world.size > 1
    size = world.size if ours else 1
    with _environment(_rendezvous(size) if ours else {}), _share_of_threads(size) as threads:
        workers = Workers(size, run_dir, threads)
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(workers, done, on_death), daemon=True)
        if ours:
            watch.start()
        try:
            yield workers
            workers.end(_JOIN_SECONDS)
        except BrainTumorError:  # all ranks raise it; rank 0 reports
            workers.end(_JOIN_SECONDS)
            raise
        except PreemptedError as error:  # all ranks raise it, unless this one did not wait for them
            workers.end(0 if error.at_once else _JOIN_SECONDS)
            raise
        except Exception as error:
            if ours and (reason := workers.failure(_EXIT_SECONDS if _no_answer(error) else 0) or _no_answer(error)):
                raise RankError(reason) from error
            raise
        finally:
            done.set()
            workers.end(0)
            _leave_process_group()


def _watch(workers: Workers, done: threading.Event, on_death: Callable[[str], None]) -> None:
    while not done.wait(0.5):
        if (reason := workers.failure()) and not done.wait(_GRACE):
            on_death(reason)
            print(f"brain-tumor train: {reason}", file=sys.stderr, flush=True)
            workers.end(0)
            os._exit(RankError.exit_code)


def _no_answer(error: Exception) -> str | None:
    """Return an error of a collective operation as one sentence, or None for other errors."""
    text = str(error)
    if any(sign in text for sign in _NO_ANSWER):
        return f"A training process did not answer within trainer.timeout: {text.splitlines()[0]}"
    return None


def _rendezvous(size: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return dict(zip(_VARIABLES, ("127.0.0.1", str(port), "0", str(size), "0"), strict=True))


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _share_of_threads(size: int) -> Iterator[int]:
    """Limit the threads of this process to its share of the cores while workers run; yield that share."""
    import torch

    before = torch.get_num_threads()
    share = max(1, before // size)
    torch.set_num_threads(share)
    try:
        yield share
    finally:
        torch.set_num_threads(before)


def _leave_process_group() -> None:
    """Leave the process group, so that the next training of this process does not find itself in it."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
