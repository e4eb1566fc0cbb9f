"""Runs and bundles of version 0.1, whose keys, columns and files had other names, are still read."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from factories import draw
from safetensors.numpy import load, save

from brain_tumor import Predictor
from brain_tumor.evaluate import evaluate
from brain_tumor.serving.packing import pack


def old_detector(content):
    """An OOD detector as version 0.1 wrote it."""
    return save({{"reject_share": "turned_away"}.get(name, name): array for name, array in load(content).items()})


def to_format_1(bundle):
    """Rewrite a bundle as version 0.1 wrote it."""
    config = json.loads((bundle / "config.json").read_text())["brain_tumor"]  # at the root then
    detector = old_detector((bundle / "ood_detector.safetensors").read_bytes())
    (bundle / "ood_detector.safetensors").unlink()
    (bundle / "gate.safetensors").write_bytes(detector)
    config["format_version"] = 1
    config["architecture"]["name"] = "cnn"
    facts = config.pop("ood_detector")
    config["gate"] = {"file": "gate.safetensors", "turned_away": facts["reject_share"], "images": facts["images"]}
    del config["files"]["ood_detector.safetensors"]
    config["files"]["gate.safetensors"] = hashlib.sha256(detector).hexdigest()
    config["exports"] = {}
    (bundle / "config.json").write_text(json.dumps(config))


@pytest.fixture
def old_run(gated_copy):
    """A run directory as version 0.1 left it. May be spoilt."""
    checkpoint = torch.load(gated_copy / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["model"]["_target_"] = "brain_tumor.models.cnn.SmallCNN"
    torch.save(checkpoint, gated_copy / "checkpoints" / "best.ckpt")
    results = json.loads((gated_copy / "results.json").read_text())
    results["floor"] = results.pop("baseline")
    results["turned_away"] = results.pop("ood_rejection")
    (gated_copy / "results.json").write_text(json.dumps(results))
    for path in (gated_copy / "predictions").glob("*.csv"):
        table = pd.read_csv(path).rename(columns={"rejected": "foreign", "ood_score": "foreignness"})
        table.to_csv(path, index=False)
    to_format_1(gated_copy / "bundle")
    (gated_copy / "ood_detector.safetensors").unlink()
    shutil.copy(gated_copy / "bundle" / "gate.safetensors", gated_copy / "gate.safetensors")
    return gated_copy


def test_a_bundle_gives_the_same_answers(gated, old_run):
    image = draw("glioma", 1000)
    now, old = (Predictor.load(run, engine="torch")(image) for run in (gated, old_run))

    assert old.probabilities == now.probabilities
    assert (old.rejected, old.ood_score) == (now.rejected, now.ood_score)


def test_a_run_without_a_bundle_is_packed(gated, old_run):
    shutil.rmtree(old_run / "bundle")

    bundle = pack(old_run)

    assert (bundle.architecture, bundle.ood_detector.reject_share) == ("small_cnn", 0.05)
    assert (old_run / "bundle" / "model.safetensors").read_bytes() == (
        gated / "bundle" / "model.safetensors"
    ).read_bytes()


def test_a_run_is_evaluated(old_run, tmp_path):
    before = json.loads((old_run / "results.json").read_text())

    results = evaluate([f"run={old_run}", "image_evidence=false", "evaluation.resamples=20"], tmp_path)

    assert results["baseline"] == before["floor"]
    assert results["test"]["f1_macro"]["value"] == pytest.approx(before["test"]["f1_macro"]["value"])
    assert np.isfinite(pd.read_csv(tmp_path / "predictions" / "test.csv")["foreignness"]).all()
