"""The audit as a table in the terminal."""

from typing import Any

from rich.table import Table

from brain_tumor import CAUTION

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
    table.add_row("distinct pictures (copies and mirror images once)", *_share(counts["distinct_pictures"], all_))
    table.add_row("groups that must stay together", str(counts["groups"]), "")
    table.add_row("same picture under two classes", *_share(document["label_conflicts"]["images"], all_))
    for row in document["split"]["leakage"]:
        if not row["class"] and row["images"] and (row["known"], row["side"]) in _SHOWN:
            for what, key in {"same pixels": "pixels", "copy": "near", "copy, patient or head": "group"}.items():
                table.add_row(f"{row['side']} with {what} in {row['known']}", *_share(row[key], row["images"]))
    random = document["random_split"]["share_with_copy_in_training"]
    table.add_row("random fifth with copy in the rest", "", f"{random:.1%}")
    table.add_section()
    for key, name in {"split": "this split", "leak_free_folds": "leak-free folds"}.items():
        if key in document["floor"]:
            scores = document["floor"][key]
            table.add_row(f"1-NN floor, {name}: accuracy", "", f"{scores['accuracy']:.1%}")
            table.add_row("  with a random class per group", "", f"{scores['accuracy_with_random_labels']:.1%}")
    for shortcut in document["shortcuts"][:3]:
        name = f"{shortcut['property']} tells {shortcut['task']} (chance {shortcut['chance']:.0%})"
        table.add_row(
            name, "", f"{shortcut['balanced_accuracy']:.1%}", style="yellow" if shortcut["suspicious"] else None
        )
    return table


def _share(part: int, whole: int) -> tuple[str, str]:
    return str(part), f"{part / whole:.1%}" if whole else ""
