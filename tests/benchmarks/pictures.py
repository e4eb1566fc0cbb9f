"""Draw the two pictures of the README from what the product itself answers: on phantoms, so that no patient is shown.

python tests/benchmarks/pictures.py --run RUN    a run of `make demo`; without one it is trained first (2 minutes)
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from brain_tumor import Predictor
from brain_tumor.audit import audit
from brain_tumor.data.phantom import phantom
from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.train import train

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_TUMOUR, _OTHER = "#c0392b", "#9fb3c1"


def draw_answer(run: Path, path: Path) -> None:
    """Draw the answer for the test image whose map lies best on the tumour: image, heat map and box, probabilities."""
    test = pd.read_csv(run / "predictions" / "test.csv")
    row = test[test["label"] == test["prediction"]].nlargest(1, "map_dice").iloc[0]
    answer = Predictor.load(run)(row["path"])
    image = cv2.imread(row["path"], cv2.IMREAD_GRAYSCALE)
    assert answer.heatmap is not None
    assert answer.box is not None
    figure, (scan, marked, bars) = plt.subplots(
        1, 3, figsize=(9.6, 3.1), width_ratios=(1, 1, 1.35), layout="constrained"
    )
    scan.imshow(image, cmap="gray", vmin=0, vmax=255)
    scan.set_title("scan (a phantom)", fontsize=10)
    marked.imshow(overlay(image, cv2.resize(answer.heatmap, image.shape[::-1])))
    x0, y0, x1, y1 = answer.box
    marked.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="#00e5ff", linewidth=1.5))
    marked.set_title("heat map and box", fontsize=10)
    for axes in (scan, marked):
        axes.axis("off")
    names = sorted(answer.probabilities, key=lambda name: answer.probabilities[name])
    values = [answer.probabilities[name] for name in names]
    colours = [_TUMOUR if name == answer.prediction else _OTHER for name in names]
    bars.bar_label(bars.barh([name.replace("_", " ") for name in names], values, color=colours), fmt=" %.3f")
    bars.set(xlim=(0, 1.18), xticks=(0, 0.5, 1))
    bars.spines[["top", "right"]].set_visible(False)
    told = ""
    if answer.observed:
        right, images = answer.observed
        told = f"\nin validation {right} of {images} such answers were right"
    bars.set_title(f"calibrated probabilities: {answer.decision}{told}", fontsize=10)
    figure.savefig(path, dpi=100)


def draw_pairs(path: Path, work: Path) -> None:
    """Draw pairs that the audit finds in a folder where copies were planted, each changed in another way."""
    changes = {
        "mirrored, JPEG": lambda image: image[:, ::-1],
        "darker": lambda image: (0.8 * image).astype(np.uint8),
        "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "shifted": lambda image: np.roll(image, 3, axis=1),
    }
    table = phantom(work / "cache", patients=80, slices=1, size=160)
    planted = table.groupby("label").head(1).index  # one of each class
    for number, row in table.iterrows():
        folder = work / "scans" / "Training" / row["label"]
        folder.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(row["path"], cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(folder / f"{number:02}.png"), image)
        if number in planted:
            testing = work / "scans" / "Testing" / row["label"]
            testing.mkdir(parents=True)
            change = [*changes][list(planted).index(number)]
            cv2.imwrite(str(testing / f"{change}.jpg"), changes[change](image), [cv2.IMWRITE_JPEG_QUALITY, 50])
    options = [f"data.root={work / 'scans'}", "split=official", f"paths.cache_dir={work / 'cache'}"]
    audit(["data=folder", *options], run_dir=work / "audit")
    pairs = pd.read_csv(work / "audit" / "pairs.csv")
    figure, axes = plt.subplots(2, len(changes), figsize=(8, 4.4), layout="constrained")
    for column, change in zip(axes.T, changes, strict=True):
        of_change = pairs[pairs["path_a"].str.contains(change) | pairs["path_b"].str.contains(change)]
        pair = of_change.nlargest(1, "similarity").iloc[0]
        for axis, name in zip(column, sorted([pair["path_a"], pair["path_b"]], reverse=True), strict=True):
            axis.imshow(cv2.imread(str(work / "scans" / name), cv2.IMREAD_GRAYSCALE), cmap="gray", vmin=0, vmax=255)
            axis.set_title("Training" if "Training" in name else f"Testing: {change}", fontsize=9)
            axis.axis("off")
    figure.savefig(path, dpi=75)
    Image.open(path).convert("L").save(path, optimize=True)  # it has no colour


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw both pictures into notebooks/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, help="run directory of make demo")
    parser.add_argument("--out", type=Path, default=NOTEBOOKS, help="folder of the pictures")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run = asked.run or train(["experiment=demo"], run_dir=work / "run").run_dir
        draw_answer(run, asked.out / "answer.png")
        draw_pairs(asked.out / "pairs.png", work)


if __name__ == "__main__":
    main()
