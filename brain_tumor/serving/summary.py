"""What the verbs around a bundle print."""

import pandas as pd
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.export import Exported


def export_table(exported: Exported, engine: str, precision: str) -> Table:
    """Size, agreement and latency of an export beside eager PyTorch."""
    checks, latency, before = exported.export.checks, exported.latency, exported.reference_latency
    table = _table(f"Checked on {checks['images']} validation images; one image {latency.calls} times each")
    for name in ("", "eager PyTorch", f"{engine} {precision}"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("size", _megabytes(exported.reference_size), _megabytes(exported.size))
    table.add_row("largest difference of a probability", "", f"{checks['max_difference']:.1e}")
    table.add_row("macro-F1", f"{checks['f1_macro_before']:.4f}", f"{checks['f1_macro_after']:.4f}")
    if "rejected_after" in checks:
        shares = (f"{checks[f'rejected_{when}']:.1%}" for when in ("before", "after"))
        table.add_row("scans rejected as foreign", *shares)
    table.add_row("latency, median", _milliseconds(before.median), _milliseconds(latency.median))
    table.add_row("latency, 95th percentile", _milliseconds(before.p95), _milliseconds(latency.p95))
    table.add_row("speed-up", "", f"{before.median / latency.median:.1f}×")
    return table


def predictions_summary(predictions: pd.DataFrame, bundle: Bundle) -> Table:
    """How many images were predicted as what; predictions of foreign ones are withheld."""
    table = _table(f"Model {bundle.version}: {len(predictions)} images")
    table.add_column("prediction")
    table.add_column("images", justify="right")
    foreign = predictions["rejected"].fillna(False).astype(bool)
    counts = predictions.loc[~foreign, "prediction"].value_counts()
    for name in bundle.classes:
        table.add_row(name, str(counts.get(name, 0)))
    if bundle.ood_detector:
        table.add_row("withheld: foreign to the model", str(foreign.sum()))
    return table


def rejection_warning(predictions: pd.DataFrame) -> str | None:
    """What to do with the predictions of OOD images, if there are any."""
    count = int(predictions["rejected"].fillna(False).sum())
    if not count:
        return None
    what = "1 image is" if count == 1 else f"{count} images are"
    return f"{what} unlike the scans that this model knows (column foreign): do not use what it predicts of them."


def _table(title: str) -> Table:
    """Wide enough for what stands above and below it."""
    return Table(title=title, title_justify="left", caption=CAUTION, min_width=max(len(title), len(CAUTION)))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
