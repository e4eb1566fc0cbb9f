"""The findings of an audit that matter most, as sentences, the worst first."""

from collections.abc import Mapping, Sequence
from typing import Any

from brain_tumor.data.labels import HEALTHY

SHOWN = 3
"""Findings that are shown before all figures."""
_FEW_DISTINCT = 0.9
"""Share of distinct images below which duplicates are a finding."""


def verdict(document: Mapping[str, Any]) -> list[str]:
    """Return the findings of an audit as sentences, the worst first; one that says so if there are none.

    Args:
        document: Content of ``audit.json``.
    """
    found = [
        *_split(document),
        *_conflicts(document),
        *shortcut_findings(document["shortcuts"]),
        *_files(document),
        *_duplicates(document),
        *_patients(document),
    ]
    sentences = [sentence for _, sentence in sorted(found, key=lambda finding: -finding[0])]
    return sentences or ["No leakage, label conflict or shortcut was found."]


Finding = tuple[float, str]
"""Severity, 0 to 1, and sentence."""


def _split(document: Mapping[str, Any]) -> list[Finding]:
    if document["split"]["fault"]:
        return [(1.0, f"The data cannot be trained on as they are: {document['split']['fault']}")]
    rows = [
        row
        for row in document["split"]["leakage"]
        if not row["class"] and row["split"] == "test" and row["reference"] == "train or val" and row["group"]
    ]
    return [
        (
            min(1.0, 0.5 + row["group"] / row["images"]),
            f"The split leaks: {row['group']} of {row['images']} test images ({row['group'] / row['images']:.1%}) show "
            f"a patient or image of train or val ({row['near']} are duplicates); results on it are inflated.",
        )
        for row in rows
    ]


def _conflicts(document: Mapping[str, Any]) -> list[Finding]:
    conflicts = document["label_conflicts"]
    if not conflicts["images"]:
        return []
    share = conflicts["images"] / document["counts"]["readable"]
    return [
        (0.4 + min(0.5, 10 * share), f"{conflicts['images']} images appear under two classes; one of them is wrong.")
    ]


def shortcut_findings(shortcuts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return a finding for the strongest shortcut of each task.

    Args:
        shortcuts: Output of `brain_tumor.data.audit.shortcuts.shortcuts`.
    """
    strongest: dict[str, Mapping[str, Any]] = {}
    for shortcut in shortcuts:
        if shortcut["suspicious"]:
            strongest.setdefault(shortcut["task"], shortcut)
    what = {"classes": "the class", "detection": f"tumour from {HEALTHY}"}
    return [
        (
            (shortcut["balanced_accuracy"] - shortcut["chance"]) / (1 - shortcut["chance"]),
            f"{_subject(shortcut['property'])} {what[task]} at {shortcut['balanced_accuracy']:.1%} "
            f"(balanced accuracy; chance {shortcut['chance']:.0%}): a network can learn it instead of the anatomy.",
        )
        for task, shortcut in strongest.items()
    ]


def _subject(name: str) -> str:
    return "Properties of the files together tell" if name == "all together" else f"The {name} of the files alone tells"


def _files(document: Mapping[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    counts = document["counts"]
    if document["unreadable"]:
        share = len(document["unreadable"]) / counts["found"]
        found.append((0.2 + share / 2, f"{len(document['unreadable'])} of {counts['found']} images cannot be read."))
    if document["blank"]:
        share = len(document["blank"]) / max(1, counts["readable"])
        found.append((0.3 + share / 2, f"{len(document['blank'])} images are blank or nearly so."))
    return found


def _duplicates(document: Mapping[str, Any]) -> list[Finding]:
    counts = document["counts"]
    share = counts["distinct_images"] / max(1, counts["readable"])
    if share >= _FEW_DISTINCT:
        return []
    leak = document["random_split"]["share_with_copy_in_training"]
    return [
        (
            0.5 * (1 - share),
            f"{counts['readable'] - counts['distinct_images']} of {counts['readable']} images are duplicates: held out "
            f"at random, {leak:.0%} of them would have a copy in training.",
        )
    ]


def _patients(document: Mapping[str, Any]) -> list[Finding]:
    if document["grouping"].startswith("every image"):
        return []
    return [(0.1, f"{document['grouping'][0].upper()}{document['grouping'][1:]}.")]
