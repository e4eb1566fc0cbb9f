"""Serving and predicting in a process that cannot import what training needs: the environment of a container."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from factories import save
from serving.service_files import Load, server

NOT_THERE = [
    *("torch", "torchvision", "timm", "lightning", "hydra", "wandb", "matplotlib", "albumentations", "torchmetrics"),
    *("sklearn", "captum", "faiss", "h5py"),
]
"""What an environment for serving lacks."""
START = f"""
import sys

from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {NOT_THERE!r} else PathFinder.find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from brain_tumor.__main__ import main
main()
"""


def verb(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", START, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for label in ("glioma", "no_tumor"):
        save(folder / f"{label}.png", label, 5)
    return folder


def test_it_predicts(exported, scans, tmp_path):
    done = verb(
        "predict", f"bundle={exported}", scans / "glioma.png", scans / "no_tumor.png", "output=a.csv", "report=a.html",
        cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "a.csv")
    with_training = verb_with_training(exported, scans, tmp_path)
    pd.testing.assert_frame_equal(found.filter(like="p_"), with_training.filter(like="p_"), atol=1e-5)
    assert (tmp_path / "a.html").is_file()


def verb_with_training(run, scans, folder):
    from brain_tumor.predict import predict

    return predict([f"bundle={run}", f"input=[{scans / 'glioma.png'},{scans / 'no_tumor.png'}]"], folder / "other")


def test_it_serves(exported, scans):
    with server(sys.executable, "-c", START, "serve", f"bundle={exported}", "port=0") as (_, address):
        load = Load(address, (scans / "glioma.png").read_bytes(), clients=2)
        load.wait_for(10)
        load.end()
        assert set(load.statuses) == {200}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "bundle=nowhere", "input=x"], "nowhere holds no bundle"),
        (["predict", "input=x"], "bundle is not set"),
        (["predict", "bundl=x"], "There is no key bundl. Did you mean bundle?"),
        (["predict", "bundle={run}", "input=x", "engine=torch"], "torch"),
        (["serve", "bundle={run}", "port=70000"], "Invalid port=70000: expected 0 to 65535"),
        (["serve", "bundle={run}", "--multirun"], "not understood without Hydra"),
        (["serve", "bundle=[a"], "cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_sentence(exported, arguments, sentence, tmp_path):
    done = verb(*(argument.format(run=exported) for argument in arguments), cwd=tmp_path)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_shows_every_key(tmp_path):
    done = verb("serve", "--help", cwd=tmp_path)

    assert done.returncode == 0
    assert "limits.upload_seconds=10" in done.stdout


def test_answers_are_written_as_json(exported, scans, tmp_path):
    done = verb(
        "predict", f"bundle={exported}", f"input={scans}", "format=json", f"hydra.run.dir={tmp_path}", cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "predictions.json").read_text())["images"]) == 2
