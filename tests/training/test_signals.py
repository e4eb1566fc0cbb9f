"""Ctrl-C and SIGTERM at each stage of a command: one sentence, exit code 128 + signal, status preempted."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
import torch

from brain_tumor.errors import PreemptedError
from brain_tumor.training.signals import stop_signals

PROBE = """
import time
from pathlib import Path
from lightning.pytorch.callbacks import Callback

FOLDER = Path(__file__).parent

def wait():
    (FOLDER / "reached").touch()
    while not (FOLDER / "sent").exists():
        time.sleep(0.01)

class Training(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 2:
            wait()

class Validation(Callback):
    def on_validation_batch_end(self, trainer, *_):
        if trainer.current_epoch == 1:
            wait()

class Frozen(Callback):
    def on_train_batch_end(self, trainer, *_):
        wait()
        (FOLDER / "went_on").touch()
"""
RUN = [
    "data=folder", "model.widths=[8,16]", "data.image_size=32", "data.batch_size=8", "data.num_workers=0", "seed=1",
    "evaluation.resamples=2000", "trainer.max_epochs=3", "callbacks=[]",
]  # fmt: skip


class TestStop:
    """Requests within a process."""

    def test_one_that_is_not_deferred_is_raised_at_once(self):
        with (
            pytest.raises(PreemptedError, match=r"Stopped by Ctrl-C \(SIGINT\); do this\.") as stopped,
            stop_signals("do this"),
        ):
            signal.raise_signal(signal.SIGINT)
        assert stopped.value.exit_code == 130

    def test_a_deferred_one_is_raised_at_the_end_and_the_second_ctrl_c_at_once(self):
        reached = []

        def receive(*numbers):
            with stop_signals() as stop, stop.deferred():
                for number in numbers:
                    signal.raise_signal(number)
                    reached.append(number)

        with pytest.raises(PreemptedError) as stopped:
            receive(signal.SIGINT)
        assert (reached, stopped.value.at_once) == ([signal.SIGINT], False)
        with pytest.raises(PreemptedError) as stopped:
            receive(signal.SIGTERM, signal.SIGTERM, signal.SIGINT)  # a cluster may repeat SIGTERM
        assert (reached[1:], stopped.value.at_once) == ([signal.SIGTERM] * 2, True)

    def test_no_handler_of_errors_takes_it_for_a_failure(self):
        def download():
            try:
                signal.raise_signal(signal.SIGTERM)
            except Exception as error:
                raise ConnectionError("the download failed") from error

        with pytest.raises(PreemptedError), stop_signals():
            download()

    def test_previous_handlers_are_restored_and_ignored_interrupts_stay_ignored(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with stop_signals():
                signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.fixture
def launch(flat_folder, tmp_path, monkeypatch):
    """Start `brain-tumor VERB` in a session of its own, with the probe as plug-in and an empty cache."""
    (tmp_path / "probe.py").write_text(PROBE)
    monkeypatch.setenv("BRAIN_TUMOR_CACHE", str(tmp_path / "cache"))
    processes = []

    def begin(*arguments, verb="train", **environment):
        folders = [f"data.root={flat_folder}"] if "data=folder" in arguments else []
        command = [sys.executable, "-m", "brain_tumor", verb, *arguments, *folders]
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        with (tmp_path / "out").open("ab") as out, (tmp_path / "err").open("ab") as err:
            process = subprocess.Popen(
                [*command, f"hydra.run.dir={tmp_path / 'run'}"], stdout=out, stderr=err, start_new_session=True,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | environment,
            )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(condition, process, tmp_path):
    deadline = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, (tmp_path / "err").read_text()
        assert time.monotonic() < deadline, (tmp_path / "err").read_text()
        time.sleep(0.005)


def record(tmp_path):
    return json.loads((tmp_path / "run" / "run.json").read_text())


def seconds(tmp_path):
    """Stages that are over."""
    return record(tmp_path).get("seconds", {}) if (tmp_path / "run" / "run.json").exists() else {}


def stopped(process, tmp_path, number=signal.SIGINT, verb="train", codes=()):
    """Check exit code and sentence; return the sentence."""
    code = process.wait(timeout=600)
    err = (tmp_path / "err").read_text()
    assert code in (codes or [128 + number]), err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    lines = [line for line in err.splitlines() if "Stopped by" in line]
    assert len(lines) == 1, err
    assert err.splitlines()[-1] == lines[0]
    name = "Ctrl-C (SIGINT)" if number == signal.SIGINT else "SIGTERM"
    assert lines[0].startswith(f"brain-tumor {verb}: Stopped by {name}; ")
    return lines[0]


PLACES = {
    "start of the run": ([], lambda path: (path / "run" / "run.json").exists()),
    "decoding": ([], lambda path: any((path / "cache").glob("*"))),
    "training": (
        ["plugins=[probe]", "+callbacks.probe._target_=probe.Training"],
        lambda path: (path / "reached").exists(),
    ),
    "validation": (
        ["plugins=[probe]", "+callbacks.probe._target_=probe.Validation"],
        lambda path: (path / "reached").exists(),
    ),
    "evaluation": ([], lambda path: "predict" in seconds(path)),
    "report": ([], lambda path: "bundle" in seconds(path)),
}


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_each_stage_it_stops_and_goes_on(place, number, launch, tmp_path):
    """A run that was stopped anywhere is resumed by the command that the sentence names."""
    options, reached = PLACES[place]
    process = launch(*RUN, *options)
    wait_until(lambda: reached(tmp_path), process, tmp_path)
    os.killpg(process.pid, number)
    (tmp_path / "sent").touch()
    sentence = stopped(process, tmp_path, number)

    assert record(tmp_path)["status"] == "preempted"
    assert sentence.endswith(f"; brain-tumor train resume={tmp_path / 'run'} continues it.")
    epochs = pd.read_csv(tmp_path / "run" / "metrics.csv") if (tmp_path / "run" / "metrics.csv").exists() else ()
    if place == "training":
        saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
        assert (saved["global_step"], len(epochs)) == (2, 0)
    if place == "validation":
        assert len(epochs) == 2
    again = launch(f"resume={tmp_path / 'run'}")
    assert again.wait(timeout=600) == 0, (tmp_path / "err").read_text()
    assert record(tmp_path)["status"] == "finished"
    assert pd.read_csv(tmp_path / "run" / "metrics.csv")["epoch"].tolist() == [0, 1, 2]


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(launch, tmp_path):
    """The first one waits for the end of the batch, which does not come."""
    process = launch(*RUN, "plugins=[probe]", "+callbacks.probe._target_=probe.Frozen")
    wait_until((tmp_path / "reached").exists, process, tmp_path)
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)  # two that wait to be handled are one
    stopped(process, tmp_path, codes=[130, -signal.SIGINT])  # one more, after the sentence, ends Python's own end

    assert record(tmp_path)["status"] == "preempted"
    assert not (tmp_path / "went_on").exists()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["omegaconf", "torch"])
def test_at_the_start_there_is_no_traceback(module, launch, tmp_path):
    """While the first modules are imported, and while torch is: Python prints each module whose import is over."""
    process = launch(*RUN, PYTHONPROFILEIMPORTTIME="1")
    wait_until(lambda: f"{module}.version" in (tmp_path / "err").read_text(), process, tmp_path)
    os.killpg(process.pid, signal.SIGINT)

    assert stopped(process, tmp_path).endswith("; repeat the command to start again.")
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.fixture
def silent_server():
    """A server that takes requests and never answers; yields its address and an event: somebody asked."""
    asked, over = threading.Event(), threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def handle(self):
            asked.set()
            over.wait()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_during_a_download_the_run_is_preempted_not_failed(silent_server, launch, tmp_path):
    address, asked = silent_server
    network = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0", "no_proxy": "*"}
    process = launch(*RUN[:1], *RUN[2:], "model=resnet18", "model.pretrained=true", **network)
    wait_until(asked.is_set, process, tmp_path)
    process.send_signal(signal.SIGTERM)

    stopped(process, tmp_path, signal.SIGTERM)
    assert record(tmp_path)["status"] == "preempted"
    assert record(tmp_path)["reason"].startswith("Stopped by SIGTERM")


@pytest.mark.slow
def test_ctrl_c_reaches_the_processes_that_load_and_train_too(launch, tmp_path):
    """A terminal sends it to all of them; one of them decides."""
    workers = ["trainer=ddp_cpu", "trainer.devices=2", "data.num_workers=1", "trainer.max_epochs=500"]
    process = launch(*RUN[:4], *RUN[5:], *workers)
    wait_until((tmp_path / "run" / "metrics.csv").exists, process, tmp_path)
    os.killpg(process.pid, signal.SIGINT)

    stopped(process, tmp_path)
    assert record(tmp_path)["status"] == "preempted"
    assert not (tmp_path / "run" / "rank_1.log").exists() or not (tmp_path / "run" / "rank_1.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["audit", "evaluate"])
def test_other_verbs_end_so_too(verb, launch, trained, tmp_path):
    """Each is stopped at the first file that it writes."""
    own = ["hydra.output_subdir=.hydra", "data.image_size=32"] if verb == "audit" else [f"run={trained}"]
    process = launch("data=folder", *own, verb=verb) if verb == "audit" else launch(*own, verb=verb)
    wait_until(lambda: any((tmp_path / "run").glob("*")), process, tmp_path)
    os.killpg(process.pid, signal.SIGINT)

    assert stopped(process, tmp_path, verb=verb).endswith("; repeat the command to start again.")
    if verb == "evaluate" and (tmp_path / "run" / "run.json").exists():
        assert record(tmp_path)["status"] == "preempted"
