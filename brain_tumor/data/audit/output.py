"""Write the files of an audit, and build its table for the terminal."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.data.loaded_data import LoadedData
from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.atomic import published_file

_CROSSINGS = (("train", "val"), ("train or val", "test"))
"""Reference split and split whose leakage the table shows."""
_LEAKS = {"pixels": "the same pixels", "near": "a duplicate", "group": "a duplicate, the patient or the head"}
"""Count in a row of leakage → what the images share with the reference split."""
_BASELINES = {"split": "this split", "leak_free_folds": "folds that keep groups together"}


def audit_table(document: dict[str, Any]) -> Table:
    """Build the table of the figures that decide whether a data set can be trusted.

    Args:
        document: Content of ``audit.json``.
    """
    table = Table(title=f"Audit (split={document['split']['name']})", title_justify="left", caption=CAUTION)
    table.add_column("finding")
    table.add_column("images", justify="right")
    table.add_column("share", justify="right")
    counts = document["counts"]
    readable = counts["readable"]
    files = document["files"]
    table.add_row("files", str(files["files"]), "")
    for reason, number in files["left_out"].items():
        table.add_row(f"  left out: {reason}", str(number), "")
    table.add_row("found", str(counts["found"]), "")
    table.add_row("readable", *_share(readable, counts["found"]))
    table.add_row("distinct images (duplicates and mirror images once)", *_share(counts["distinct_images"], readable))
    table.add_row("groups that must stay together", str(counts["groups"]), "")
    if document["blank"]:
        table.add_row("blank or nearly blank", *_share(len(document["blank"]), readable), style="yellow")
    table.add_row("patients known", str(counts["patients"]), "")
    table.add_row("same image with two classes", *_share(document["label_conflicts"]["images"], readable))
    for row in document["split"]["leakage"]:
        if not row["class"] and row["images"] and (row["reference"], row["split"]) in _CROSSINGS:
            for key, shared in _LEAKS.items():
                table.add_row(f"{row['split']} with {shared} in {row['reference']}", *_share(row[key], row["images"]))
    random = document["random_split"]["share_with_copy_in_training"]
    table.add_row("random 20 % held out: with a duplicate in the other 80 %", "", f"{random:.1%}")
    table.add_section()
    for key, name in _BASELINES.items():
        if key in document["baseline"]:
            scores = document["baseline"][key]
            table.add_row(f"1-NN baseline, {name}: accuracy", "", f"{scores['accuracy']:.1%}")
            table.add_row("  with a random class per group", "", f"{scores['accuracy_with_random_labels']:.1%}")
    for shortcut in document["shortcuts"][:3]:
        table.add_row(
            f"{shortcut['property']} predicts {shortcut['task']} (chance {shortcut['chance']:.0%})",
            "",
            f"{shortcut['balanced_accuracy']:.1%}",
            style="yellow" if shortcut["suspicious"] else None,
        )
    return table


def _share(count: int, total: int) -> tuple[str, str]:
    return str(count), f"{count / total:.1%}" if total else ""


def write_outputs(folder: Path, document: dict[str, Any], data: LoadedData, split: pd.DataFrame) -> None:
    """Write ``audit.json``, ``pairs.csv``, ``samples.csv`` and ``files.csv``, each in one step.

    Args:
        folder: Folder of the files; it is created if it is missing.
        document: Content of ``audit.json``.
        data: Data that were audited.
        split: Samples of the data with ``split`` filled.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with published_file(folder / "audit.json") as draft:
            draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        write_table(pairs_table(data), folder / "pairs.csv")
        write_table(split, folder / "samples.csv")
        write_table(data.files, folder / "files.csv")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error}): set hydra.run.dir to another folder.") from error


def pairs_table(data: LoadedData) -> pd.DataFrame:
    """Build the table of ``pairs.csv``: ``path_a, path_b`` (sample ids), ``kind, similarity, mirrored, turned``."""
    names = data.samples["sample_id"].to_numpy(object)
    return pd.DataFrame(
        {
            "path_a": names[data.pairs["left"]],
            "path_b": names[data.pairs["right"]],
            "kind": data.pairs["kind"],
            "similarity": data.pairs["similarity"],
            "mirrored": data.pairs["mirrored"].astype(int),
            "turned": data.pairs["turned"].astype(int),
        }
    )
