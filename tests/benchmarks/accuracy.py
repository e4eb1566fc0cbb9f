"""How accurate are the recipes, without leakage: the table and the plot of the README.

Every row of the table is one model on one data set: its recipe of conf/experiment is trained once for each fold, and
what each run predicts for its test images is kept in notebooks/accuracy, from which all figures are computed. An
ensemble joins two trainings of a fold that differ in their validation fold, so in most of their training patients, with
``brain-tumor export ensemble=[…] tta=mirror``. The published split of nickparvar, which leaks, stands beside its folds.

    python tests/benchmarks/accuracy.py                                    the table of what is kept; nothing is trained
    python tests/benchmarks/accuracy.py --train nickparvar/small           train and keep all folds of a row (hours)
    python tests/benchmarks/accuracy.py --train nickparvar/small --folds 2 train and keep one of them
    python tests/benchmarks/accuracy.py --write                            the table and its plot, beside what is kept

Data and weights are those of the folder ``BRAIN_TUMOR_SHARED``; runs are kept, too, and interrupted ones continue.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from accuracy_folds import folds, keep, row_estimates
from charts import chart
from machine import public_set

NUMBERS = range(5)
MODELS = {
    "reference": "reference CNN",
    "small": "small CNN",
    "transfer": "MobileNetV2",
    "other": "MobileNetV2, validated on other patients",
    "ensemble": "ensemble of both, mirrored images averaged",
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
    "centre_hit": "centre of the head",
    "hirescam_hit": "HiResCAM",
    "recognised_dice": "Dice",
    "localization/false_area": "false area",
    "patients/accuracy": "accuracy per patient",
}
"""Figure → its name in the table. Sensitivity and specificity are those of the operating point that validation chose
for a sensitivity of 0.99; ECE is that after temperature scaling. The centre of the head and HiResCAM play the pointing
game, too; Dice is that of tumours whose class is recognised."""
SENSITIVITY = "evaluation.sensitivity=0.99"
KEPT = Path(__file__).parents[2] / "notebooks" / "accuracy"


@dataclass(frozen=True)
class Row:
    """One model on one data set."""

    data: str
    """Key of `SETS`."""
    model: str
    """Key of `MODELS`."""

    @property
    def name(self) -> str:
        """``data/model``."""
        return f"{self.data}/{self.model}"

    @property
    def folds(self) -> Sequence[int]:
        """Numbers of its folds; a published split is one."""
        return [0] if self.data == "published" else NUMBERS

    def arguments(self, fold: int) -> list[str]:
        """Arguments of the training of one fold, as in the README."""
        recipe = RECIPES[SETS[self.data]] + ("_transfer" if self.model in ("transfer", "other") else "")
        split = ["split=official", "split.allow_leakage=true"] if self.data == "published" else [f"split.fold={fold}"]
        model = {"reference": ["model=reference_cnn", "localizer=none"], "other": ["split.val_offset=3"]}.get(
            self.model, []
        )
        return [f"experiment={recipe}", *model, *split]


ROWS = [Row(data, model) for data in SETS for model in MODELS if data != "published" or model in (*MODELS,)[:3]]


def train(row: Row, fold: int, out: Path, kept: Path) -> None:
    """Train a fold of a row, or join the trainings of an ensemble, unless it is finished; keep what it reached."""
    run, members = out / row.name / str(fold), [out / row.name / str(fold)]
    if row.model == "ensemble":
        parts = [Row(row.data, "transfer"), Row(row.data, "other")]
        members = [out / part.name / str(fold) for part in parts]
        for part in parts:
            train(part, fold, out, kept)
        joined = f"ensemble=[{','.join(map(str, members))}]"
        _brain_tumor("export", joined, SENSITIVITY, "tta=mirror", "overwrite=true", f"hydra.run.dir={run}")
    else:
        places = _places(row)
        _brain_tumor("train", *row.arguments(fold), *places, SENSITIVITY, "resume=auto", f"hydra.run.dir={run}")
    keep(kept, row.name, fold, run, members)


def _places(row: Row) -> list[str]:
    root = public_set(SETS[row.data])
    if root is None:
        sys.exit(f"{row.name} needs data/{SETS[row.data]} in the folder that BRAIN_TUMOR_SHARED names.")
    shared = root.parents[1]
    places = [f"data.root={root}"]
    if row.model in ("transfer", "other"):
        places.append(f"model.weights={shared / 'weights'}")
    if SETS[row.data] == "nickparvar":
        places.append(f"data.masks={shared / 'data' / 'cheng'}")
    return places


def _brain_tumor(*arguments: str) -> None:
    print("brain-tumor", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "brain_tumor", *arguments], check=True)


def collect(kept: Path) -> pd.DataFrame:
    """Compute the table: a row for each row of which anything is kept, and one for the 1-NN baseline of a data set."""
    trained, records = folds(kept), []
    for row in ROWS:
        own = trained[trained["name"] == row.name]
        if own.empty:
            continue
        if row.data not in {record["data"] for record in records}:
            records.append(_nearest(row.data, own))
        record = _record(row, own) | {"name": row.name}
        for metric, estimate in row_estimates(kept, row.name).items():
            record |= {f"{metric}{end}": estimate[key] for end, key in _ENDS.items()} if metric in COLUMNS else {}
        records.append(record)
    return pd.DataFrame(records)


_ENDS = {"": "value", " low": "ci_low", " high": "ci_high"}


def _record(row: Row, own: pd.DataFrame) -> dict[str, Any]:
    return {
        "data": row.data,
        "model": MODELS[row.model],
        "folds": f"{len(own)} of {len(row.folds)}",
        "images": own["images"].sum(),
        "parameters": own["parameters"].iloc[0],
        "minutes": round(own["minutes"].mean(), 1),
    }


def _nearest(data: str, own: pd.DataFrame) -> dict[str, Any]:
    """The 1-NN baseline: the mean over the folds, weighted by their images."""
    means = {
        metric: (own[f"nearest_{metric}"] * own["images"]).sum() / own["images"].sum()
        for metric in ("accuracy", "f1_macro")
    }
    return {
        "name": f"{data}/nearest",
        "data": data,
        "model": NEAREST,
        "images": own["images"].sum(),
        "folds": "",
    } | means


def tell(table: pd.DataFrame) -> None:
    """Print the table as Markdown."""
    print(f"| data | model | {' | '.join(COLUMNS.values())} | parameters | minutes per fold | folds |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    for _, row in table.iterrows():
        cells = [_cell(row, metric) for metric in COLUMNS]
        size = "" if pd.isna(row["parameters"]) else f"{row['parameters'] / 1e6:.1f} M"
        minutes = "" if pd.isna(row["minutes"]) else f"{row['minutes']:.0f}"
        print(f"| {row['data']} | {row['model']} | {' | '.join(cells)} | {size} | {minutes} | {row['folds']} |")


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
    names = {row.name: row for row in ROWS}
    parser.add_argument("--train", choices=names, nargs="+", default=[], metavar="ROW", help=", ".join(names))
    parser.add_argument("--folds", type=int, choices=NUMBERS, nargs="+", metavar="K", help="these alone")
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"), help="folder of the runs")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of what the runs reached")
    parser.add_argument("--write", action="store_true", help="write the table and its plot")
    asked = parser.parse_args(arguments)
    for name in asked.train:
        for fold in asked.folds or names[name].folds:
            train(names[name], fold, asked.out.absolute(), asked.kept)
    table = collect(asked.kept)
    if table.empty:
        sys.exit(f"{asked.kept} holds no results; train a row with --train.")
    tell(table)
    if asked.write:
        table.to_csv(asked.kept / "table.csv", index=False, float_format="%.6g")
        plot(table, asked.kept / "published.png")


if __name__ == "__main__":
    main()
