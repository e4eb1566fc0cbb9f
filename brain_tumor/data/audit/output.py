"""The files of an audit, and its table in the terminal."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.data.loading import LoadedData
from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.atomic import published_file

_SHOWN = (("train", "val"), ("train or val", "test"))


def audit_table(document: dict[str, Any]) -> Table:
    """The figures that decide whether a data set can be trusted.

    Args:
        document: The content of ``audit.json``.
    """
    table = Table(title=f"Audit (split={document['split']['name']})", title_justify="left", caption=CAUTION)
    table.add_column("finding")
    table.add_column("images", justify="right")
    table.add_column("share", justify="right")
    counts, all_ = document["counts"], document["counts"]["readable"]
    table.add_row("found", str(counts["found"]), "")
    table.add_row("readable", *_share(all_, counts["found"]))
    table.add_row("distinct images (copies and mirror images once)", *_share(counts["distinct_images"], all_))
    table.add_row("groups that must stay together", str(counts["groups"]), "")
    table.add_row("same image under two classes", *_share(document["label_conflicts"]["images"], all_))
    for row in document["split"]["leakage"]:
        if not row["class"] and row["images"] and (row["known"], row["side"]) in _SHOWN:
            for what, key in {"same pixels": "pixels", "copy": "near", "copy, patient or head": "group"}.items():
                table.add_row(f"{row['side']} with {what} in {row['known']}", *_share(row[key], row["images"]))
    random = document["random_split"]["share_with_copy_in_training"]
    table.add_row("random fifth with copy in the rest", "", f"{random:.1%}")
    table.add_section()
    for key, name in {"split": "this split", "leak_free_folds": "leak-free folds"}.items():
        if key in document["baseline"]:
            scores = document["baseline"][key]
            table.add_row(f"1-NN baseline, {name}: accuracy", "", f"{scores['accuracy']:.1%}")
            table.add_row("  with a random class per group", "", f"{scores['accuracy_with_random_labels']:.1%}")
    for shortcut in document["shortcuts"][:3]:
        name = f"{shortcut['property']} tells {shortcut['task']} (chance {shortcut['chance']:.0%})"
        table.add_row(
            name, "", f"{shortcut['balanced_accuracy']:.1%}", style="yellow" if shortcut["suspicious"] else None
        )
    return table


def _share(part: int, whole: int) -> tuple[str, str]:
    return str(part), f"{part / whole:.1%}" if whole else ""


def write_outputs(folder: Path, document: dict[str, Any], data: LoadedData, split: pd.DataFrame) -> None:
    """Write ``audit.json``, ``pairs.csv`` and ``samples.csv``, each in one step.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with published_file(folder / "audit.json") as draft:
            draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        write_table(pairs_table(data), folder / "pairs.csv")
        write_table(split, folder / "samples.csv")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error}); set hydra.run.dir.") from error


def pairs_table(data: LoadedData) -> pd.DataFrame:
    """``path_a, path_b, kind, similarity, mirrored`` (0 or 1), with sample ids as paths."""
    names = data.samples["sample_id"].to_numpy(object)
    return pd.DataFrame(
        {
            "path_a": names[data.pairs["left"]],
            "path_b": names[data.pairs["right"]],
            "kind": data.pairs["kind"],
            "similarity": data.pairs["similarity"],
            "mirrored": data.pairs["mirrored"].astype(int),
        }
    )
