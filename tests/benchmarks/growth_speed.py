"""What each image costs as they grow in number: seconds and memory of the cache, an epoch, the audit, an evaluation.

Each row is measured in a process of its own: ``python tests/benchmarks/growth_speed.py PART FOLDER NUMBER`` prints it.
Images are generated, see `growing`. The cache is cold for ``cache`` alone; ``audit`` finds all pairs anew; ``epoch``
reads and augments every image once; ``training`` loads all, fits the small CNN for some steps, and tells its memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import growing
import numpy as np
import pandas as pd
from charts import chart
from machine import memory_peak, resident

Row = dict[str, Any]
Work = Callable[[], object]
NUMBERS = (1000, 10_000, 100_000)
ASKED_MIB = 300
"""By how much a training process may grow from the smallest number to the largest."""
_RESAMPLES = 200
_STEPS = 20
_MIB = 2**20


def measure(numbers: tuple[int, ...] = NUMBERS) -> dict[str, Any]:
    """All parts at ever more images."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        growing.write(folder, max(numbers))
        for number in numbers:
            growing.manifest(folder, number)
            for part in PARTS:
                command = [sys.executable, __file__, part, name, str(number)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                print(f"  {rows[-1]}", flush=True)
    return {"images": f"generated, {growing.SIZE} px", "rows": rows, **growth(rows)}


def growth(rows: list[Row]) -> dict[str, Any]:
    """Cost of an image at the largest number against the smallest, and by how many MiB a training process grows."""
    found: dict[str, Any] = {"cost_of_a_picture": {}}
    for part in PARTS:
        mine = [row for row in rows if row["part"] == part]
        found["cost_of_a_picture"][part] = round(mine[-1]["core_us_a_picture"] / mine[0]["core_us_a_picture"], 2)
    training = [row["resident_mib"] for row in rows if row["part"] == "training"]
    return found | {"training_grows_mib": round(training[-1] - training[0])}


def tell(result: dict[str, Any]) -> None:
    """Print the table."""
    print(f"  {result['images']}; µs of a core for each image, and peak resident memory")
    numbers = sorted({row["number"] for row in result["rows"]})
    print("    " + " " * 12 + "".join(f"{number:>20,}" for number in numbers))
    for part in PARTS:
        cells = [
            f"{row['core_us_a_picture']:>9.0f} µs{row['peak_mib']:>5.0f} MiB"
            for row in result["rows"]
            if row["part"] == part
        ]
        print(f"    {part:<12}{''.join(cells)}  × {result['cost_of_a_picture'][part]}")
    print(f"    a training process grows by {result['training_grows_mib']} MiB (asked: ≤ {ASKED_MIB})")


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw the cost of an image, and memory, over the number of images."""
    with chart(path, 11, 4, columns=2) as (left, right):
        for part in PARTS:
            rows = [row for row in result["rows"] if row["part"] == part]
            number = [row["number"] for row in rows]
            left.loglog(number, [row["core_us_a_picture"] for row in rows], "o-", label=part)
            right.semilogx(number, [row["peak_mib"] for row in rows], "o-", label=part)
        left.set(xlabel="images", ylabel="µs of a core for each image")
        right.set(xlabel="images", ylabel="peak resident memory, MiB", ylim=(0, None))
        right.legend(loc="upper left", ncols=2)


def cache(folder: Path, number: int) -> Work:
    """Decode everything."""
    from brain_tumor.data.cache.store import cached_images

    return lambda: cached_images(_paths(folder, number), growing.SIZE, _place(folder, number))


def audit(folder: Path, number: int) -> Work:
    """Find all pairs."""
    from brain_tumor.data.duplicates.pairs import image_pairs

    found = cache(folder, number)()
    return lambda: image_pairs(found)


def epoch(folder: Path, number: int) -> Work:
    """Every image in batches, augmented."""
    from input_pipeline import light

    from brain_tumor.data.augmentation import Augmentation
    from brain_tumor.data.dataset import EpochSampler, SliceDataset, TrainLoader, identity_collate

    images = cache(folder, number)().images
    dataset = SliceDataset(images, np.arange(number), np.zeros(number, np.int64), Augmentation(light()))
    loader = TrainLoader(dataset, batch_size=32, sampler=EpochSampler(number, 0), collate_fn=identity_collate)
    return lambda: sum(len(rows) for _, _, rows in loader)


def evaluation(folder: Path, number: int) -> Work:
    """All metrics with intervals, of random predictions."""
    from brain_tumor.evaluation.metrics.estimates import results_document
    from brain_tumor.evaluation.predictions import Predictions

    rng = np.random.default_rng(0)
    table = pd.read_csv(growing.manifest(folder, number), dtype=str)
    classes = sorted(set(table["label"]))
    frame = pd.DataFrame({"sample_id": table["path"], "label": table["label"], "group": table["patient_id"]})
    chances = pd.DataFrame(rng.dirichlet(np.ones(len(classes)), number), columns=[f"p_{label}" for label in classes])
    predictions = Predictions.from_frame(frame.join(chances))
    return lambda: results_document({"test": predictions}, resamples=_RESAMPLES)


def training(folder: Path, number: int) -> tuple[Work, Work]:
    """Load everything as a training does that others went before; then, not timed, fit for some steps."""
    from lightning import seed_everything

    from brain_tumor.config.compose import compose
    from brain_tumor.training import build as assemble
    from brain_tumor.training.build_classifier import build_classifier
    from brain_tumor.training.distributed.world import resolve_world
    from brain_tumor.training.known_warnings import ignore_known_warnings

    run_dir = folder / f"run_{number}"
    run_dir.mkdir(exist_ok=True)
    steps = [f"trainer.limit_{loop}_batches={_STEPS}" for loop in ("train", "val")]
    data = ["data=manifest", f"data.manifest={growing.manifest(folder, number)}", "split=holdout"]
    paths = [f"paths.cache_dir={_place(folder, number)}"]
    cfg = compose([*data, *paths, *steps, "trainer.max_epochs=1", "trainer.precision=32-true", "callbacks=[]"], run_dir)
    resolve_world(cfg)
    datamodule = assemble.build_datamodule(cfg)

    def fit() -> None:
        with ignore_known_warnings():
            seed_everything(0, verbose=False)
            assemble.build_trainer(cfg, []).fit(build_classifier(cfg, datamodule), datamodule)

    return datamodule.load, fit


PARTS: dict[str, Callable[[Path, int], Work | tuple[Work, Work]]] = {
    part.__name__: part for part in (cache, audit, epoch, evaluation, training)
}


def row(part: str, folder: Path, number: int) -> Row:
    """Run one part in this process; what it imports is not timed."""
    work, *more = ready if isinstance(ready := PARTS[part](folder, number), tuple) else (ready,)
    started, worked = time.perf_counter(), time.process_time()
    work()
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    for untimed in more:
        untimed()
    now = resident()
    return {
        "part": part,
        "number": number,
        "seconds": round(seconds, 2),
        "core_us_a_picture": round(1e6 * worked / number, 1),
        "peak_mib": round(memory_peak() / _MIB),
        "resident_mib": round(sum(now.values()) / _MIB),
        "anonymous_mib": round(now["anonymous"] / _MIB),
    }


def _place(folder: Path, number: int) -> Path:
    return folder / f"cache_{number}"


def _paths(folder: Path, number: int) -> list[str]:
    """In the order of a samples table, so that all parts find one entry of the cache."""
    return [str(folder / path) for path in sorted(pd.read_csv(growing.manifest(folder, number), dtype=str)["path"])]


if __name__ == "__main__":
    print(json.dumps(row(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
