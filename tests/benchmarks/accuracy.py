"""How accurate are the recipes, without leakage: the table and the plot of the README.

Every row of the table is one model on one data set: its recipe of conf/experiment is trained once for each fold, and
``brain-tumor export ensemble=[…]`` joins what the five runs say of the images that none of them had seen. The published
split of nickparvar, which leaks, stands beside its folds.

    python tests/benchmarks/accuracy.py                                    what there is, as a table; nothing is trained
    python tests/benchmarks/accuracy.py --train nickparvar/small           train and join one row (hours)
    python tests/benchmarks/accuracy.py --train nickparvar/small --folds 2 train one of its runs
    python tests/benchmarks/accuracy.py --write                            notebooks/accuracy.csv and its plot

Data and weights are those of the folder ``BRAIN_TUMOR_SHARED``; runs are kept, and interrupted ones continue.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from charts import chart
from machine import public_set

FOLDS = range(5)
MODELS = {
    "reference": "reference CNN",
    "small": "small CNN",
    "transfer": "MobileNetV2",
    "other": "MobileNetV2, other patients",
}
NEAREST = "1-NN"
RECIPES = {"nickparvar": "four_class", "cheng": "cheng", "preetviradiya": "reference_task"}
SETS = {**{name: name for name in RECIPES}, "published": "nickparvar"}
"""Name of the data in a row → public set."""
COLUMNS = {
    "accuracy": "accuracy",
    "f1_macro": "macro-F1",
    "detection/auroc": "detection AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "ECE",
    "localization/pointing": "pointing",
    "localization/dice": "Dice",
}
"""Figure → its name in the table. Sensitivity and specificity are those of the operating point that validation chose
for a sensitivity of 0.99; ECE is that after temperature scaling."""
SENSITIVITY = "evaluation.sensitivity=0.99"
RESULTS = Path(__file__).parents[2] / "notebooks" / "accuracy.csv"


@dataclass(frozen=True)
class Row:
    """One model on one data set."""

    data: str
    """Key of `SETS`."""
    model: str
    """Key of `MODELS`, or ``ensemble``."""

    @property
    def name(self) -> str:
        """``data/model``."""
        return f"{self.data}/{self.model}"

    @property
    def runs(self) -> list[str]:
        """Folders of the runs that are joined."""
        return [f"{self.name}/{fold}" for fold in ([0] if self.data == "published" else FOLDS)]

    def arguments(self, fold: int) -> list[str]:
        """Arguments of the training of one fold, as in the README."""
        recipe = RECIPES[SETS[self.data]] + ("_transfer" if self.model in ("transfer", "other") else "")
        split = ["split=official", "split.allow_leakage=true"] if self.data == "published" else [f"split.fold={fold}"]
        model = {"reference": ["model=reference_cnn", "localizer=none"], "other": ["split.val_offset=3"]}.get(
            self.model, []
        )
        return [f"experiment={recipe}", *model, *split]


ROWS = [Row(data, model) for data in SETS for model in MODELS if (data, model) != ("published", "other")]
ENSEMBLES = {Row(data, "ensemble"): [Row(data, "transfer"), Row(data, "other")] for data in ("nickparvar", "cheng")}


def train(row: Row, folds: Sequence[int], out: Path) -> None:
    """Train the runs of a row that are not finished."""
    root = public_set(SETS[row.data])
    if root is None:
        sys.exit(f"{row.name} needs data/{SETS[row.data]} in the folder that BRAIN_TUMOR_SHARED names.")
    shared = root.parents[1]
    places = [f"data.root={root}"]
    if row.model in ("transfer", "other"):
        places.append(f"model.weights={shared / 'weights'}")
    if SETS[row.data] == "nickparvar":
        places.append(f"data.masks={shared / 'data' / 'cheng'}")
    for fold in folds:
        run = f"hydra.run.dir={out / row.name / str(fold)}"
        _brain_tumor("train", *row.arguments(fold), *places, SENSITIVITY, "resume=auto", run)


def join(row: Row, out: Path) -> None:
    """Join the runs of a row into one table of predictions, if all are finished and it is not yet done."""
    members = [out / run for each in ENSEMBLES.get(row, [row]) for run in each.runs]
    if len(members) > 1 and all((run / "results.json").is_file() for run in members):
        runs, joined = ",".join(map(str, members)), f"hydra.run.dir={out / row.name / 'joined'}"
        _brain_tumor("export", f"ensemble=[{runs}]", SENSITIVITY, "tta=mirror", "overwrite=true", joined)


def _brain_tumor(*arguments: str) -> None:
    print("brain-tumor", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "brain_tumor", *arguments], check=True)


def collect(out: Path) -> pd.DataFrame:
    """Read what the finished rows have reached: a row for each, and one for the 1-NN baseline of each data set."""
    records = []
    for row in [*ROWS, *ENSEMBLES]:
        members = [out / run for each in ENSEMBLES.get(row, [row]) for run in each.runs]
        place = out / row.name / "joined" if len(members) > 1 else members[0]
        if (place / "results.json").is_file():
            if row.data not in {record["data"] for record in records}:
                records.append(_nearest(row.data, members))
            records.append(_record(row, place, members))
    return pd.DataFrame(records)


def _record(row: Row, place: Path, members: Sequence[Path]) -> dict[str, Any]:
    results, facts = (json.loads((place / name).read_text()) for name in ("results.json", "run.json"))
    found: dict[str, Any] = {
        "name": row.name,
        "data": row.data,
        "model": MODELS.get(row.model, "ensemble of both"),
        "images": results["n"]["test"]["images"],
        "parameters": facts["model"]["parameters"] // (1 if len(members) == 1 else len(FOLDS)),
        "minutes": round(sum(_seconds(run) for run in members) / 60 / len(row.runs), 1),
    }
    point = next((each["test"] for each in results.get("operating_points", {}).get("points", [])), {})
    estimates = results["test"] | {"ece": results["calibration"]["test"]["after"]["ece"]} | point
    for metric in COLUMNS:
        found |= {f"{metric}{end}": estimates.get(metric, {}).get(key) for end, key in _ENDS.items()}
    return found


_ENDS = {"": "value", " low": "ci_low", " high": "ci_high"}


def _nearest(data: str, runs: Sequence[Path]) -> dict[str, Any]:
    """The 1-NN baseline: the mean over the folds, weighted by their images."""
    results = [json.loads((run / "results.json").read_text()) for run in runs]
    images = [each["n"]["test"]["images"] for each in results]
    found: dict[str, Any] = {"name": f"{data}/nearest", "data": data, "model": NEAREST, "images": sum(images)}
    for metric in ("accuracy", "f1_macro"):
        values = [each["baseline"]["test"][metric] for each in results]
        found[metric] = sum(value * n for value, n in zip(values, images, strict=True)) / sum(images)
    return found


def _seconds(run: Path) -> float:
    return float(sum(json.loads((run / "run.json").read_text())["seconds"].values()))


def tell(table: pd.DataFrame) -> None:
    """Print the table as Markdown."""
    print(f"| data | model | {' | '.join(COLUMNS.values())} | parameters | minutes a fold |")
    print("|---" * (len(COLUMNS) + 4) + "|")
    for _, row in table.iterrows():
        cells = [_cell(row, metric) for metric in COLUMNS]
        size = "" if pd.isna(row["parameters"]) else f"{row['parameters'] / 1e6:.1f} M"
        minutes = "" if pd.isna(row["minutes"]) else f"{row['minutes']:.0f}"
        print(f"| {row['data']} | {row['model']} | {' | '.join(cells)} | {size} | {minutes} |")


def _cell(row: "pd.Series[Any]", metric: str) -> str:
    if pd.isna(row.get(metric)):
        return ""
    low, high = row.get(f"{metric} low"), row.get(f"{metric} high")
    return f"{row[metric]:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw the accuracy on nickparvar's published split beside that on its leak-free folds, per model."""
    published, folds = (table[table["data"] == data].set_index("model") for data in ("published", "nickparvar"))
    models = [name for name in (NEAREST, *MODELS.values()) if name in published.index and name in folds.index]
    with chart(path, 8, 1.5 + 0.5 * len(models)) as (axes,):
        for offset, (label, values, colour) in enumerate(
            (("published split (leaks)", published, "#c9c9c9"), ("leak-free folds", folds, "#2b6ea3"))
        ):
            places = [number + 0.38 * (offset - 0.5) for number in range(len(models))]
            drawn = axes.barh(places, 100 * values.loc[models, "accuracy"], 0.36, color=colour, label=label)
            axes.bar_label(drawn, [f" {100 * value:.1f}" for value in values.loc[models, "accuracy"]])
        axes.set_yticks(range(len(models)), models)
        axes.invert_yaxis()
        axes.set(xlabel="accuracy on nickparvar, %", xlim=(50, 104))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, join, print or write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = {row.name: row for row in [*ROWS, *ENSEMBLES]}
    parser.add_argument("--train", choices=names, nargs="+", default=[], metavar="ROW", help=", ".join(names))
    parser.add_argument("--folds", type=int, choices=FOLDS, nargs="+", default=FOLDS, metavar="K", help="these alone")
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"), help="folder of the runs")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} and its plot")
    asked = parser.parse_args(arguments)
    out = asked.out.absolute()
    for name in asked.train:
        if names[name] in ROWS:
            train(names[name], [0] if names[name].data == "published" else asked.folds, out)
        join(names[name], out)
    table = collect(out)
    if table.empty:
        sys.exit(f"{out} holds no finished row; train one with --train.")
    tell(table)
    if asked.write:
        table.to_csv(RESULTS, index=False, float_format="%.6g")
        plot(table, RESULTS.with_suffix(".png"))


if __name__ == "__main__":
    main()
