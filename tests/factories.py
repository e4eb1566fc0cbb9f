"""Images, tables and settings that tests share; the class of an image is the place of a bright disc."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_tumor.evaluation.evidence import Settings
from brain_tumor.evaluation.predictions import Predictions

CENTRES = {"glioma": (12, 12), "meningioma": (12, 36), "no_tumor": None, "pituitary": (36, 24)}


def draw(label: str, seed: int, size: int = 48) -> np.ndarray:
    """A noisy grey image uint8 [size, size], different for every seed."""
    rng = np.random.default_rng([seed, list(CENTRES).index(label)])
    image = rng.integers(20, 70, (size, size))
    if centre := CENTRES[label]:
        y, x = np.mgrid[:size, :size]
        cy, cx = np.add(centre, rng.integers(-2, 3, 2))
        image[(y - cy) ** 2 + (x - cx) ** 2 < 36] += 150
    return image.astype(np.uint8)


def save(path: Path, label: str, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw(label, seed)).save(path)
    return path


TINY = [
    "model.widths=[8,16,16,16]",
    "data.image_size=32",
    "data.num_workers=0",
    "evaluation.resamples=50",
    "callbacks=[]",
]
SHORT = [*TINY, "trainer.max_epochs=3", "data.batch_size=8"]
FAST = Settings(resamples=20)
NAMES = ("glioma", "meningioma", "no_tumor", "pituitary")


def predictions(labels, probabilities, names=NAMES, groups=None):
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in names[: probabilities.shape[1]]])
    frame["label"] = np.array(names)[labels]
    frame["sample_id"] = [str(n) for n in range(len(labels))]
    return Predictions.from_frame(frame if groups is None else frame.assign(group=groups))


def detection(scores, tumour):
    """Images with detection scores, tumour or not."""
    scores = np.array(scores, float)
    return predictions(np.array(tumour, int), np.stack([1 - scores, scores], axis=1), names=("no_tumor", "tumor"))


def random_predictions(n, seed, groups=2, names=("glioma", "no_tumor", "pituitary")):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, len(names), n // groups), groups)
    p = rng.dirichlet(np.ones(len(names)), n) * 0.6 + 0.4 * np.eye(len(names))[labels]
    return predictions(labels, p, names=names, groups=[f"{seed}-{row // groups}" for row in range(n)])


def bundle_config(run):
    """What ``config.json`` of a run's bundle says under our key."""
    return json.loads((run / "bundle" / "config.json").read_text())["brain_tumor"]


def change_bundle(run, change):
    """Change that, in place."""
    path = run / "bundle" / "config.json"
    document = json.loads(path.read_text())
    change(document["brain_tumor"])
    path.write_text(json.dumps(document))


def export_fp32(run: Path) -> Path:
    """Export the model of a run at fp32 to both engines, without timing them; return the run."""
    from brain_tumor.export import export

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as log:
        patch.setattr("brain_tumor.serving.export.SECONDS", 0.0)
        for engine in ("onnxruntime", "openvino"):
            export([f"bundle={run}", f"engine={engine}"], Path(log) / engine)
    return run


MAP = ["localizer=map", "localizer.width=8", "model.widths=[8,16,16]"]


def mask_of(label, seed):
    """The bright disc of `draw`."""
    image = draw(label, seed)
    return np.where(image > 130, 255, 0).astype(np.uint8) if CENTRES[label] else None


def write_set(folder, masked=1.0):
    """A manifest of 12 images of each class, with masks of a share of the tumours, ``masked``."""
    rows = []
    for label in CENTRES:
        for number in range(12):
            path, mask = folder / f"{label}{number}.png", mask_of(label, number)
            Image.fromarray(draw(label, number)).save(path)
            row = {"path": path.name, "label": label, "mask_path": ""}
            if mask is not None and number < 12 * masked:
                Image.fromarray(mask).save(folder / f"{label}{number}_outline.png")
                row["mask_path"] = f"{label}{number}_outline.png"
            rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "samples.csv", index=False)
    return ["data=manifest", f"data.manifest={folder / 'samples.csv'}"]


def run_verb(module, capsys, *arguments):
    """Call ``module.main`` of a verb; returns its exit code, standard output and standard error."""
    try:
        module.main(arguments)
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()
