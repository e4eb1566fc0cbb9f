"""Tables and warnings that ``brain-tumor export`` and ``brain-tumor predict`` print."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.serving.answer import LOW_CONFIDENCE
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import REFERENCE

if TYPE_CHECKING:
    from brain_tumor.serving.export import Exported


_SHOWN = 0.01
"""Share of missed images from which a kind is named."""


def export_table(exported: "Exported", engine: str, precision: str) -> Table:
    """Compare an export with eager PyTorch: size, agreement and latency."""
    checks, latency, eager = exported.export.checks, exported.latency, exported.reference_latency
    table = _table(f"Checked on {checks['images']} validation images; one image timed in turns, {latency.calls} times")
    for name in ("", "eager PyTorch", f"{engine} {precision}"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("size", _megabytes(exported.reference_size), _megabytes(exported.size))
    table.add_row("largest difference of a probability", "", f"{checks['max_difference']:.1e}")
    table.add_row("mean difference of the probabilities", "", f"{checks['mean_difference']:.1e}")
    table.add_row("macro-F1", f"{checks['f1_macro_before']:.4f}", f"{checks['f1_macro_after']:.4f}")
    if "map_max_difference" in checks:
        table.add_row("largest difference of the map", "", f"{checks['map_max_difference']:.1e}")
    if "rejected_after" in checks:
        shares = (f"{checks[f'rejected_{when}']:.1%}" for when in ("before", "after"))
        table.add_row("scans rejected by the OOD detector", *shares)
    table.add_row("latency, median", _milliseconds(eager.median), _milliseconds(latency.median))
    table.add_row("latency, 95th percentile", _milliseconds(eager.p95), _milliseconds(latency.p95))
    rounds = checks["speed_up_rounds"]
    for name, ratio in checks["speed_up"].items():
        reference = "eager PyTorch" if name == REFERENCE else f"{engine} {name}"
        table.add_row(f"speed-up over {reference}", "", f"{ratio:.1f}×")
    table.caption = f"A speed-up is the median of {rounds} ratios of latencies measured in turns. {CAUTION}"
    return table


def predictions_summary(predictions: pd.DataFrame, bundle: Bundle) -> Table:
    """Count the images per predicted class, without those that the OOD detector rejected."""
    table = _table(f"Model {bundle.version}: {len(predictions)} images")
    table.add_column("prediction")
    table.add_column("images", justify="right")
    rejected = predictions["rejected"].fillna(False).astype(bool)
    counts = predictions.loc[~rejected, "prediction"].value_counts()
    for name in bundle.classes:
        table.add_row(name, str(counts.get(name, 0)))
    if bundle.ood_detector:
        table.add_row("rejected as out-of-distribution", str(rejected.sum()))
    if "abstain" in predictions:
        uncertain = predictions["abstain"].str.contains(LOW_CONFIDENCE) & ~rejected
        table.add_row("of the others, left to a person for low confidence", str(uncertain.sum()))
    return table


def volumes_summary(volumes: pd.DataFrame, slices: Mapping[str, int], bundle: Bundle) -> str:
    """Say in one line how many volumes there are, how many slices were predicted, and with which rule.

    Args:
        volumes: Table of `brain_tumor.evaluation.volumes.by_volume`.
        slices: ``series`` → number of slices of the volume.
        bundle: Model.
    """
    total = sum(slices.get(series, 0) for series in volumes["series"])
    counts = volumes["prediction"].replace("", "all slices rejected").value_counts()
    found = ", ".join(f"{name} {count}" for name, count in counts.items())
    return (
        f"{len(volumes)} volume{'s' * (len(volumes) != 1)}, {volumes['slices'].sum()} of {total} slices looked at "
        f"(rule {bundle.volume_rule}): {found}; their key slices are in the table of volumes."
    )


def ood_statement(bundle: Bundle) -> str | None:
    """Say how much the OOD detector rejects and misses; None if the bundle has no such figures."""
    info = bundle.ood_detector
    if info is None or not info.missed:
        return None
    missed = ", ".join(f"{share:.0%} of {name}" for name, share in info.missed.items() if share >= _SHOWN)
    others = f"of {len(info.missed)} kinds of OOD image it misses {missed or 'less than 1% each'}"
    rejected = "" if info.rejected is None else f"it rejects {info.rejected:.1%} of test scans; "
    return f"The OOD detector does not find all: {rejected}{others} (model card)."


def rejection_warning(predictions: pd.DataFrame) -> str | None:
    """Warn about predictions of rejected images; None if no image was rejected."""
    count = int(predictions["rejected"].fillna(False).sum())
    if not count:
        return None
    if count == 1:
        return "1 image is out-of-distribution (column rejected): do not use its prediction."
    return f"{count} images are out-of-distribution (column rejected): do not use their predictions."


def _table(title: str) -> Table:
    """Create a table wide enough for its title and caption."""
    return Table(title=title, title_justify="left", caption=CAUTION, min_width=max(len(title), len(CAUTION)))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
