"""The table of a comparison as LaTeX, Markdown or CSV."""

import re
from collections.abc import Sequence

import pandas as pd

from brain_tumor.evaluation.comparison.citations import Citation
from brain_tumor.evaluation.comparison.latex import latex_escaped
from brain_tumor.evaluation.comparison.paper_table import Cell, Column, PaperTable
from brain_tumor.evaluation.report.format import format_interval, format_number

_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>|#~])")


def latex_table(table: PaperTable, citations: Sequence[Citation]) -> str:
    r"""Write the table with booktabs; intervals are below their values.

    Args:
        table: Table.
        citations: What to cite, which is added as a comment.

    Returns:
        A ``table*``, for ``\input{table}`` in a document that loads ``booktabs``.
    """
    upper, lower = zip(*(_two_lines(column) for column in table.columns), strict=True)
    lines = [
        r"% Needs \usepackage{booktabs}. Fewer columns: brain-tumor compare … columns=[f1_macro,ece]",
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{latex_escaped(' '.join(table.caption))}}}",
        r"\label{tab:comparison}",
        rf"\begin{{tabular}}{{l{'c' * len(table.columns)}}}",
        r"\toprule",
        *([_latex_row("", upper)] if any(upper) else []),
        _latex_row("Candidate", lower),
        r"\midrule",
    ]
    for number, row in enumerate(table.rows):
        intervals = [format_interval(cell.estimate) for cell in row.cells]
        lines += [r"\addlinespace"] if number else []
        lines.append(_latex_row(latex_escaped(row.name), [_latex_cell(cell) for cell in row.cells]))
        if any(intervals):
            lines.append(_latex_row("", [rf"{{\scriptsize {text}}}" if text else "" for text in intervals]))
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table*}", "", "% Cite:"]
    lines += [f"% {line}" for citation in citations for line in citation.bibtex().splitlines()]
    return "\n".join(lines) + "\n"


def markdown_table(table: PaperTable) -> str:
    """Write the table as GitHub's Markdown, with its caption below."""
    lines = [
        _markdown_row("Candidate", [f"{_markdown_escaped(column.heading)} {column.arrow}" for column in table.columns]),
        _markdown_row("---", ["---:"] * len(table.columns)),
        *(
            _markdown_row(_markdown_escaped(row.name), [_markdown_cell(cell) for cell in row.cells])
            for row in table.rows
        ),
        "",
        _markdown_escaped(" ".join(table.caption)),
    ]
    return "\n".join(lines) + "\n"


def csv_table(table: PaperTable) -> str:
    """Write one row per candidate and metric, in numbers: ``candidate metric value ci_low ci_high sd p``.

    ``p`` is that of the ranking metric: of the difference to the best candidate, adjusted. Undefined values are empty.
    """
    rows = [
        {
            "candidate": row.name,
            "metric": column.metric,
            **{name: cell.estimate[name] for name in ("value", "ci_low", "ci_high", "sd")},
            "p": cell.p,
        }
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.estimate["value"] is not None
    ]
    return pd.DataFrame(rows, columns=["candidate", "metric", "value", "ci_low", "ci_high", "sd", "p"]).to_csv(
        index=False, lineterminator="\n"
    )


def _two_lines(column: Column) -> tuple[str, str]:
    """Split a heading into two lines, which makes the column narrower; one word is the lower line."""
    first, _, rest = column.heading.partition(" ")
    upper, lower = (first, rest) if rest else ("", first)
    return latex_escaped(upper), latex_escaped(f"{lower} {column.arrow}")


def _latex_row(name: str, cells: Sequence[str]) -> str:
    return " & ".join([name, *cells]) + r" \\"


def _latex_cell(cell: Cell) -> str:
    value, rest = _value(cell)
    return (rf"\textbf{{{value}}}" if cell.is_best else latex_escaped(value)) + latex_escaped(rest)


def _markdown_row(name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _markdown_escaped(text: str) -> str:
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    value, rest = _value(cell)
    shown = (f"**{value}**" if cell.is_best else value) + rest
    return f"{shown} {format_interval(cell.estimate)}".rstrip()


def _value(cell: Cell) -> tuple[str, str]:
    """Return the value, and what stands behind it: standard deviation and mark."""
    sd = cell.estimate["sd"]
    spread = "" if sd is None else f" ± {format_number(sd)}"
    return format_number(cell.estimate["value"]), spread + ("†" if cell.differs else "")
