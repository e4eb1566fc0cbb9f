"""What a detector lets through: AUROC and FPR95 against sets of OOD images, of models trained on a public set.

python tests/benchmarks/ood.py

The split is grouped, so that no patient and no image stands on two sides; the detector is fitted on validation and
asked about test scans and about images that it never saw.
"""

import json
import logging
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from machine import machine, public_set

from brain_tumor import Predictor
from brain_tumor.evaluation.ood.detector_metrics import evaluate_detector
from brain_tumor.evaluation.ood.test_sets import ood_sets
from brain_tumor.evaluation.predictions import ood_scores_of, read_predictions
from brain_tumor.serving.files import read_images
from brain_tumor.train import train

SET = "nickparvar"
RUN = [f"data={SET}", "split=grouped", "evaluation.resamples=200"]
MODELS = {
    "cnn": ["experiment=quick", *RUN, "callbacks=[ema,progressive_resizing]"],
    "resnet18": ["experiment=transfer", *RUN, "callbacks=[]", "data.image_size=128", "trainer.max_epochs=3"],
}
PICTURES = 200
"""Of a set."""


def measure(models: dict[str, list[str]] = MODELS) -> dict[str, Any]:
    """Train each model and ask its detector about all sets."""
    root = public_set(SET)
    if root is None:
        return {"left_out": f"BRAIN_TUMOR_SHARED names no folder with data/{SET}"}
    weights = root.parents[1] / "weights"
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, overrides in models.items():
            own = [f"model.weights={weights / name}.safetensors"] if name != "cnn" else []
            command = [*overrides, f"data.root={root}", *own]
            print(f"  brain-tumor train {' '.join(overrides)}", flush=True)
            with redirect_stdout(StringIO()):
                train(command, Path(folder) / name)
            found[name] = measure_run(Path(folder) / name)
    return found


def measure_run(run_dir: Path, images: int = PICTURES) -> dict[str, Any]:
    """Ask the detector of a run about its test scans and about all sets.

    Raises:
        RuntimeError: It has none.
    """
    test = read_predictions(run_dir / "predictions" / "test.csv")
    scores = ood_scores_of(test.frame)
    if scores is None:
        raise RuntimeError(f"{run_dir} has no detector")
    predictor = Predictor.load(run_dir, "torch")
    size = predictor.bundle.image_size
    scans = read_images(test.frame["path"].tolist(), size, "Reading")
    sets = ood_sets(size, images, 0, scans)
    foreign = {name: predictor.assess(grey).ood_score for name, grey in sets.items()}
    results = json.loads((run_dir / "results.json").read_text(encoding="utf-8"))
    return {
        "test_f1_macro": results["test"]["f1_macro"]["value"],
        "target": results["ood_rejection"]["target"],
        **evaluate_detector(scores, test.groups, foreign),
    }


def tell(found: dict[str, Any]) -> None:
    """Print a table for each model."""
    if "left_out" in found:
        print(f"  left out: {found['left_out']}.")
        return
    for name, one in found.items():
        scans = one["scans"]
        print(
            f"  {name}, test macro-F1 {one['test_f1_macro']:.3f}: of {scans['rejected']['n']} test scans in "
            f"{scans['groups']} groups {_show(scans['rejected'])} are rejected (asked: {one['target']})"
        )
        print(f"    {'':<16}{'images':>7}  {'AUROC':<22}{'FPR95':<22}let through")
        for kind, figures in one["sets"].items():
            columns = "".join(f"{_show(figures[figure]):<22}" for figure in ("auroc", "fpr95", "missed"))
            print(f"    {kind:<16}{figures['auroc']['n']:>7}  {columns.rstrip()}")


def _show(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['ci_low']:.3f}, {estimate['ci_high']:.3f}]"


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(json.dumps(machine()))
    result = measure()
    tell(result)
    print(json.dumps(result))
