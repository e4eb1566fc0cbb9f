"""Serving imports nothing that it does not need."""

import subprocess
import sys

import pandas as pd
import pytest

TRAINING = {
    "lightning",
    "pytorch_lightning",
    "hydra",
    "omegaconf",
    "wandb",
    "matplotlib",
    "albumentations",
    "torchmetrics",
}


def imported(run, image, engine):
    code = f"""
import sys
from brain_tumor import Predictor
predictor = Predictor.load({str(run)!r}, engine={engine!r})
assert predictor({image!r}).prediction
assert len(predictor.batch([{image!r}] * 3)) == 3
print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("run", "engine"),
    [
        ("trained", "torch"),
        *(pytest.param("exported", engine, marks=pytest.mark.slow) for engine in ("onnxruntime", "openvino")),
    ],
)
def test_prediction_imports_nothing_of_training(run, engine, request):
    run = request.getfixturevalue(run)
    modules = imported(run, pd.read_csv(run / "predictions" / "test.csv")["path"][0], engine)

    assert not TRAINING & modules
    assert ("torch" in modules) == (engine == "torch")
    assert engine in modules
    assert "absl.logging" not in modules  # it would close streams that it does not own


@pytest.mark.slow
def test_timm_backbones_import_nothing_of_training():
    code = """
import sys
from brain_tumor.serving.architectures import build_network
build_network("timm", {"name": "resnet10t", "image_size": 32}, 2)
print(*sorted(sys.modules))
import wandb  # can be imported afterwards
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)

    modules = set(done.stdout.split())
    assert "timm" in modules
    assert not TRAINING & modules


def test_importing_the_package_imports_nothing():
    code = "import sys, brain_tumor; print('numpy' in sys.modules, brain_tumor.Predictor.__name__)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)

    assert done.stdout.split() == ["False", "Predictor"]


def test_unknown_attributes_of_the_package():
    import brain_tumor

    with pytest.raises(AttributeError, match="no attribute 'Predicter'"):
        _ = brain_tumor.Predicter
