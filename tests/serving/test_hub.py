"""Bundles on the Hugging Face hub: what is sent, what is taken, and one sentence where that fails."""

import shutil
import subprocess
import sys

import pytest
from factories import draw
from huggingface_hub import constants

from brain_tumor import Predictor
from brain_tumor.errors import BundleError
from brain_tumor.serving import hub
from brain_tumor.serving.bundle import read_bundle


class Hub:
    """A hub that keeps what is sent in a folder, with the functions of `huggingface_hub` that are used."""

    def __init__(self, folder):
        self.folder, self.private = folder, {}

    def create_repo(self, repo, *, private, exist_ok):
        self.private[repo] = private

    def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message):
        for pattern in allow_patterns:
            for file in folder_path.glob(pattern):
                (self.folder / repo_id).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, self.folder / repo_id / file.name)

    def snapshot_download(self, repo, *, revision, allow_patterns):
        return str(self.folder / repo)


@pytest.fixture
def own_hub(tmp_path, monkeypatch):
    own = Hub(tmp_path / "hub")
    monkeypatch.setattr(hub, "HfApi", lambda: own)
    monkeypatch.setattr(hub, "snapshot_download", own.snapshot_download)
    return own


def test_what_is_sent_is_found_again(exported_copy, own_hub):
    bundle = read_bundle(exported_copy)
    (bundle.folder / "notes.txt").write_text("not a part of a bundle")
    (bundle.folder / "model.pt").write_bytes(b"a pickle")

    address = hub.push(bundle, "me/model", private=True)

    assert address.endswith("/me/model")
    assert own_hub.private == {"me/model": True}
    sent = {file.name for file in (own_hub.folder / "me" / "model").iterdir()}
    assert sent == {file.name for file in bundle.folder.iterdir()} - {"notes.txt", "model.pt"}
    image = draw("glioma", 3)
    assert Predictor.load("hf:me/model", engine="onnxruntime")(image) == Predictor.load(
        exported_copy, engine="onnxruntime"
    )(image)


@pytest.mark.parametrize("name", ["hf:model", "hf:a/b/c", "hf:", "hf:../x"])
def test_names_that_are_none(name):
    with pytest.raises(BundleError, match="is no name on the Hugging Face hub; expected USER/NAME"):
        Predictor.load(name)


def test_offline_it_says_so(trained, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(BundleError, match="is not on this machine, and HF_HUB_OFFLINE forbids the network"):
        Predictor.load("hf:me/model")
    with pytest.raises(BundleError, match="me/model was not sent: HF_HUB_OFFLINE forbids the network"):
        hub.push(read_bundle(trained), "me/model", private=True)


@pytest.mark.parametrize(
    "verb", [["push", "repo=me/model", "bundle={run}"], ["predict", "bundle=hf:me/model", "input=a.png"]]
)
def test_an_unreachable_hub_is_told_in_one_sentence(trained, verb, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    command = [sys.executable, "-m", "brain_tumor", *(text.format(run=trained) for text in verb)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert done.returncode == 2
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
