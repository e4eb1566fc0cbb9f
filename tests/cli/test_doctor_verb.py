"""`brain-tumor doctor` says what this machine has, what is missing, and what to do."""

import shutil
from collections import namedtuple

import pytest

from brain_tumor import __version__
from brain_tumor.cli import doctor as verb

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def no_server(monkeypatch):
    monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda *_: "no answer in 5 s")


@pytest.fixture
def servers(monkeypatch):
    monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def checks(cache):
    return {check.name: check for check in verb.run_checks(cache)}


def run(capsys, *arguments):
    """Exit code, standard output."""
    with pytest.raises(SystemExit) as stop:
        verb.main(arguments)
    return stop.value.code, capsys.readouterr().out


def test_a_machine_without_a_network_can_train(no_server, tmp_path, capsys):
    code, out = run(capsys, "--cache", str(tmp_path / "cache"))

    assert code == 0
    assert f"brain-tumor {__version__}" in out
    assert "model.weights=DIR" in out
    assert "logger.wandb.offline=true" in out
    assert "Ready: brain-tumor init DIR is next." in out
    assert len(out.splitlines()) <= 24  # one screen


def test_servers_that_answer(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "x")
    found = checks(tmp_path)

    assert found["hub"].state == found["W&B"].state == "ok"


def test_wandb_without_a_login(servers, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "wandb login" in checks(tmp_path)["W&B"].advice

    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password x\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert checks(tmp_path)["W&B"].state == "ok"


def test_downloads_that_are_forbidden(tmp_path, monkeypatch, no_server):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert "HF_HUB_OFFLINE is set" in checks(tmp_path)["hub"].found


def test_a_cache_that_cannot_be_written_is_a_problem(no_server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)
    code, out = run(capsys, "--cache", str(tmp_path / "cache"))

    assert code == 1
    assert "paths.cache_dir=DIR, or BRAIN_TUMOR_CACHE=DIR" in out
    assert "1 problems: cache." in out


def test_a_full_disk_and_a_container_with_little_shared_memory(no_server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 64e6))
    found = checks(tmp_path)

    assert found["cache"].state == "note"
    assert "0.1 GB free" in found["cache"].found
    assert found["shared memory"].advice.startswith("docker run --shm-size") or found["shared memory"].state == "ok"


def test_extras_that_are_missing(no_server, tmp_path, monkeypatch):
    def version(name):
        if name == "openvino":
            raise verb.PackageNotFoundError
        return "1"

    monkeypatch.setattr(verb, "version", version)
    assert checks(tmp_path)["extras"].found == "not installed: openvino"
