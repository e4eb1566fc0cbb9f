"""Start the other processes of a training on this machine, watch them, and end them whatever happens.

Lightning would start them by running this program's command line again: under a sweep each of them would then sweep
for itself, and under a search each would draw other settings. Here they get this job's composed configuration, and
Lightning is told that somebody else starts the processes.
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

from brain_tumor.errors import BrainTumorError, RankError
from brain_tumor.training.distributed.world import World

_GRACE = 10.0
"""Seconds that this process has to fail by itself once another one died, before it is ended."""
_EXIT_SECONDS = 3.0
"""Seconds that a process whose connection broke may take to end."""
_JOIN_SECONDS = 20.0
"""Seconds that the others have to end by themselves after the last step."""
_NO_ANSWER = ("Timed out", "timed out", "Timeout", "Connection closed by peer", "Connection reset")
"""What gloo and NCCL say of a process that is gone or hangs."""
_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "WORLD_SIZE", "LOCAL_RANK")


class Ranks:
    """The other processes; they wait until `join` hands them the configuration."""

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
        """Let them build the same training and take part in it.

        Raises:
            RankError: One of them ended already.
        """
        document = OmegaConf.to_yaml(cfg, resolve=True).encode()
        for process in self._processes.values():
            try:
                process.stdin.write(document)  # type: ignore[union-attr]
                process.stdin.close()  # type: ignore[union-attr]
            except OSError as error:
                raise RankError(self.dead() or str(error)) from error
        self._joined = True

    def dead(self, patience: float = 0) -> str | None:
        """What became of a process that ended before its time, or None if none does within some seconds."""
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
        """Wait for all of them, then kill those that are left; empty logs go."""
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
            if self._log(rank).is_file() and not self._log(rank).stat().st_size:
                self._log(rank).unlink()


@contextmanager
def other_ranks(world: World, run_dir: Path, on_death: Callable[[str], None]) -> Iterator[Ranks]:
    """Start ranks 1, 2, … of a `World` that is ours to start; with a single process, or another launcher, start none.

    Args:
        world: Says how many.
        run_dir: Takes their logs.
        on_death: Called with the reason before this process is ended from outside, which happens when it hangs in a
            step that a dead process will not come to.

    Raises:
        RankError: One died, or did not answer; instead of what this process raised because of it.
    """
    ours = world.launcher == "own" and world.size > 1
    size = world.size if ours else 1
    with _environment(_rendezvous(size) if ours else {}), _share_of_threads(size) as threads:
        ranks = Ranks(size, run_dir, threads)
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(ranks, over, on_death), daemon=True)
        if ours:
            watch.start()
        try:
            yield ranks
            ranks.end(_JOIN_SECONDS)
        except BrainTumorError:  # all ranks raise it, and this one tells
            ranks.end(_JOIN_SECONDS)
            raise
        except Exception as error:
            if ours and (reason := ranks.dead(_EXIT_SECONDS if _no_answer(error) else 0) or _no_answer(error)):
                raise RankError(reason) from error
            raise
        finally:
            over.set()
            ranks.end(0)
            _leave_process_group()


def _watch(ranks: Ranks, over: threading.Event, on_death: Callable[[str], None]) -> None:
    while not over.wait(0.5):
        if (reason := ranks.dead()) and not over.wait(_GRACE):
            on_death(reason)
            print(f"brain-tumor train: {reason}", file=sys.stderr, flush=True)
            ranks.end(0)
            os._exit(RankError.exit_code)


def _no_answer(error: Exception) -> str | None:
    """An exception of the collective operations in one sentence, or None if it is another one."""
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
    """Threads for each process, which this one keeps to until the others have ended: more would fight for the cores."""
    import torch

    before = torch.get_num_threads()
    share = max(1, before // size)
    torch.set_num_threads(share)
    try:
        yield share
    finally:
        torch.set_num_threads(before)


def _leave_process_group() -> None:
    """Else the next training of this process would find itself in it."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
