"""The table of a comparison for a paper: rows, columns, marks and caption, before any format."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brain_tumor.errors import require
from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.comparison.resampling import is_lower_better, metrics_of
from brain_tumor.evaluation.report.format import Estimate, format_level
from brain_tumor.evaluation.report.headlines import DETECTION, LOCALIZATION
from brain_tumor.evaluation.report.names import SPLITS, column_heading

BASELINE = "1-NN baseline"
_NONE = {"value": None, "sd": None, "ci_low": None, "ci_high": None}


@dataclass(frozen=True)
class Column:
    """One metric."""

    metric: str
    heading: str
    lower_is_better: bool

    @property
    def arrow(self) -> str:
        """Direction in which the metric gets better."""
        return "↓" if self.lower_is_better else "↑"


@dataclass(frozen=True)
class Cell:
    """One metric of one candidate."""

    estimate: Estimate
    """``value sd ci_low ci_high``, None where undefined."""
    is_best: bool = False
    """Whether no other row has a better value, at three digits."""
    p: float | None = None
    """Of the ranking metric: adjusted p-value of the difference to the best candidate."""
    differs: bool = False
    """Whether that difference is significant."""


@dataclass(frozen=True)
class Row:
    """A candidate, or the 1-NN baseline."""

    name: str
    cells: tuple[Cell, ...]
    """One per column."""


@dataclass(frozen=True)
class PaperTable:
    """The table."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """Candidates, best first; last the 1-NN baseline, where it is known."""
    caption: tuple[str, ...]
    """Sentences that a reader needs for the table."""


def require_metrics(candidates: Sequence[Candidate], columns: Sequence[str]) -> None:
    """Check that the columns are metrics; those that only a localizer has may be missing.

    Raises:
        ConfigError: A column is no metric.
    """
    known = [*metrics_of(candidates), *LOCALIZATION, *DETECTION]
    for name in columns:
        require(name in known, f"columns=[{name}]", f"metrics: {', '.join(dict.fromkeys(known))}")


def paper_table(document: Mapping[str, Any], columns: Sequence[str]) -> PaperTable:
    """Make the table.

    Args:
        document: Content of ``compare.json``; ``metrics`` of its candidates hold the columns.
        columns: Metrics to show. Those that no candidate has are left out; the ranking metric comes first where it is
            not among them.
    """
    candidates, ranking = document["candidates"], document["metric"]
    wanted = dict.fromkeys(columns if ranking in columns else [ranking, *columns])
    known = [
        name
        for name in wanted
        if name == ranking or any(_estimate(each, name)["value"] is not None for each in candidates)
    ]
    alpha = round(1 - document["level"], 12)
    cells = [[_cell(candidate, name, ranking, alpha) for name in known] for candidate in candidates]
    names = [candidate["name"] for candidate in candidates]
    if baseline := document.get("baseline"):
        cells.append([Cell(_NONE | {"value": baseline.get(name)}) for name in known])
        names.append(BASELINE)
    headed = tuple(Column(name, column_heading(name), is_lower_better(name)) for name in known)
    marked = [_with_best([row[i] for row in cells], column) for i, column in enumerate(headed)]
    rows = tuple(Row(name, tuple(column[number] for column in marked)) for number, name in enumerate(names))
    return PaperTable(headed, rows, tuple(_caption(document, rows, headed)))


def _estimate(candidate: Mapping[str, Any], metric: str) -> Estimate:
    found: Estimate = candidate["metrics"].get(metric, _NONE)
    return found


def _cell(candidate: Mapping[str, Any], metric: str, ranking: str, alpha: float) -> Cell:
    if metric != ranking or candidate["difference"] is None:
        return Cell(_estimate(candidate, metric))
    p = candidate["difference"]["p_holm"]
    return Cell(_estimate(candidate, metric), p=p, differs=p is not None and p < alpha)


def _with_best(cells: Sequence[Cell], column: Column) -> list[Cell]:
    """Mark the best value among several; values that are equal at three digits are all the best."""
    values = [cell.estimate["value"] for cell in cells]
    shown = [round(value, 3) for value in values if value is not None]
    best = (min(shown) if column.lower_is_better else max(shown)) if len(shown) > 1 else None
    return [
        Cell(cell.estimate, value is not None and round(value, 3) == best, cell.p, cell.differs)
        for cell, value in zip(cells, values, strict=True)
    ]


def _caption(document: Mapping[str, Any], rows: Sequence[Row], columns: Collection[Column]) -> list[str]:
    n, level, split = document["n"], format_level(document["level"]), SPLITS[document.get("eval_split", "test")]
    candidates = document["candidates"]
    pooled = any(candidate["seeds"] > 1 for candidate in candidates)
    value = "value, for several seeds mean ± standard deviation over them," if pooled else "value"
    sentences = [
        f"{n['images']} {split} images in {n['groups']} groups: {value} with {level} interval of a bootstrap of whole "
        f"groups ({document['resamples']} resamples); ↑ higher or ↓ lower is better, bold is best.",
    ]
    if len(candidates) > 1:
        heading = column_heading(document["metric"])
        test = (
            f"the best candidate, {candidates[0]['name']}, in {heading} (paired bootstrap of whole groups, two-sided, "
            f"Holm-adjusted for all pairs, p < {1 - document['level']:.2g})"
        )
        differs = any(cell.differs for row in rows for cell in row.cells)
        sentences.append(f"† differs from {test}." if differs else f"No candidate differs from {test}.")
    if any(column.metric.startswith("detection/") for column in columns):
        sentences.append("Detection: tumour against no tumour.")
    if document.get("baseline"):
        sentences.append(f"{BASELINE}: the class of the most similar training image.")
    return sentences
