"""Runs without network, account or wandb service, each in its own process, as wandb keeps state in a process."""

import os
import subprocess
import sys
import textwrap
import time

import pytest
from fake_server import closed_port, serving, silent
from wandb_files import offline_log, summary_of

INIT_TIMEOUT = 4
"""Seconds; a run that waits for a server for ever ends with the timeout of its test."""

LOG = """
    import sys, time
    from pathlib import Path
    from brain_tumor.config.compose import compose
    from brain_tumor.tracking.loggers import open_loggers, wandb_id

    settings = ["init_timeout=4", "finish_timeout=3"]
    cfg = compose(["logger=wandb", *(f"logger.wandb.settings.{s}" for s in settings)], sys.argv[1])
    with open_loggers(cfg) as loggers:
        {body}
        print("continued")
    print("ended")
"""


@pytest.fixture
def environment(tmp_path):
    """Environment with an account and no other settings of wandb."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    folders = {"HOME": str(tmp_path), "WANDB_DATA_DIR": str(tmp_path / "data")}
    return inherited | folders | {"WANDB_API_KEY": "a" * 40, "WANDB_ERROR_REPORTING": "false"}


def python(code, run_dir, environment, address):
    command = [sys.executable, "-c", textwrap.dedent(code), str(run_dir)]
    settings = environment | {"WANDB_BASE_URL": address}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=settings)


def log(body, run_dir, environment, address):
    return python(LOG.replace("{body}", body.strip()), run_dir, environment, address)


@pytest.mark.slow
def test_training_without_a_server_is_logged_offline(tmp_path, environment):
    tiny = [
        "data.patients=24", "data.slices=1", "data.image_size=32", "model.widths=[8,16,16,16]", "data.num_workers=0",
        "trainer.max_epochs=1", "evaluation.resamples=10", "callbacks=[]", "logger=wandb",
        f"logger.wandb.settings.init_timeout={INIT_TIMEOUT}", f"hydra.run.dir={tmp_path / 'run'}",
    ]  # fmt: skip
    command = [sys.executable, "-m", "brain_tumor", "train", *tiny]
    settings = environment | {"WANDB_BASE_URL": closed_port(), "BRAIN_TUMOR_CACHE": str(tmp_path / "cache")}

    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=settings)

    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("wandb cannot be reached") == 1
    logged = summary_of(offline_log(tmp_path / "run"))
    assert logged["exit_code"] == 0
    assert "final/test/f1_macro" in logged["summary"]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_the_wait_for_a_server_is_limited(kind, tmp_path, environment):
    with silent() as silent_server:
        done = log("", tmp_path, environment, closed_port() if kind == "closed" else silent_server)

    assert done.returncode == 0, done.stderr
    assert "ended" in done.stdout
    assert done.stderr.count("wandb cannot be reached") == 1
    assert offline_log(tmp_path).is_file()


@pytest.mark.slow
def test_a_refused_key_is_an_error(tmp_path, environment):
    with serving(401) as (address, _):
        done = log("", tmp_path, environment, address)

    assert "ConfigError: logger.wandb cannot start: permission denied" in done.stderr
    assert "set logger.wandb.offline=true" in done.stderr
    assert "continued" not in done.stdout


@pytest.mark.slow
def test_a_server_that_dies_does_not_stop_training(tmp_path, environment):
    body = """
        loggers[0].log_metrics({"val/f1_macro": 0.5}, step=0)
        Path(sys.argv[1], "started").touch()
        while Path(sys.argv[1], "started").exists():
            time.sleep(0.05)
        for step in range(500):
            loggers[0].log_metrics({"train/loss": 0.5}, step=step)
    """
    with serving() as (address, server):
        command = [sys.executable, "-c", textwrap.dedent(LOG.replace("{body}", body.strip())), str(tmp_path)]
        settings = environment | {"WANDB_BASE_URL": address}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings
        ) as process:
            deadline = time.monotonic() + 600
            while not (tmp_path / "started").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            server.shutdown()
            server.server_close()
            (tmp_path / "started").unlink()
            output, _ = process.communicate(timeout=600)

    assert process.returncode == 0, output
    assert "wandb cannot be reached" not in output  # it could at first
    assert "ended" in output
    [path] = (tmp_path / "wandb").glob("run-*/run-*.wandb")  # `wandb sync` can send it later
    assert summary_of(path)["summary"]["train/loss"]["last"] == 0.5


@pytest.mark.slow
def test_a_killed_service_gives_one_warning_and_the_next_job_starts_a_new_one(tmp_path, environment):
    body = """
        import os, signal, subprocess
        listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
        [service] = [line.split()[0] for line in listed.stdout.splitlines() if "wandb-core" in line]
        os.kill(int(service), signal.SIGKILL)
        time.sleep(0.5)
        for step in range(3):
            loggers[0].log_metrics({"train/loss": 0.5}, step=step)
    """
    again = """
    with open_loggers(compose(["logger=wandb"], sys.argv[1] + "/second")) as loggers:
        loggers[0].log_metrics({"train/loss": 0.25}, step=0)
    """
    code = LOG.replace("{body}", body.strip()) + again

    done = python(code, tmp_path, environment | {"WANDB_MODE": "offline"}, closed_port())

    assert done.returncode == 0, done.stderr
    assert "continued" in done.stdout
    assert done.stderr.count("wandb fails") == 1
    assert "Traceback" not in done.stderr
    assert summary_of(offline_log(tmp_path / "second"))["summary"]["train/loss"]["last"] == 0.25
