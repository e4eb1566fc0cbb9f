"""Write the files of a comparison."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.report.comparison_page import forest_plot, write_change_record, write_comparison_page
from brain_tumor.evaluation.report.plots import FigureFormats, save_figure
from brain_tumor.run_dir.atomic import published_file, write_json


def write_outputs(
    folder: Path,
    document: dict[str, Any],
    change: dict[str, Any] | None,
    tables: Mapping[str, str],
    *,
    command: str,
    figure_formats: FigureFormats,
) -> None:
    """Write ``compare.json``, ``compare.csv``, ``pairs.csv``, ``forest.png`` and ``compare.html``, each in one step.

    Args:
        folder: Directory of the files; made if it is missing.
        document: Content of ``compare.json``.
        change: Content of ``change_record.json``, for which ``change_record.md`` is written, too; None: no champion.
        tables: File name → content of the tables for a paper.
        command: Command line that made the comparison.
        figure_formats: Formats and resolution of the forest plot.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(document, folder / "compare.json")
        write_table(ranking_frame(document), folder / "compare.csv")
        write_table(pairs_frame(document), folder / "pairs.csv")
        save_figure(forest_plot(document), folder / "forest.png", figure_formats)
        for name, text in tables.items():
            with published_file(folder / name) as draft:
                draft.write_text(text, encoding="utf-8")
        if change:
            write_json(change, folder / "change_record.json")
            write_change_record(folder / "change_record.md", document, change["changes"], change["runs"])
        changes = change["changes"] if change else []
        write_comparison_page(folder / "compare.html", document, changes, command=command)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error}); set hydra.run.dir.") from error


def ranking_frame(document: dict[str, Any]) -> pd.DataFrame:
    """Make a table with one row per candidate, best first; the difference to the best is ``difference_<value>``."""
    rows = []
    for candidate in document["candidates"]:
        plain = {name: value for name, value in candidate.items() if name not in ("difference", "metrics", "runs")}
        rows.append({**plain, **_prefixed("difference", candidate["difference"]), "runs": "; ".join(candidate["runs"])})
    return pd.DataFrame(rows)


def pairs_frame(document: dict[str, Any]) -> pd.DataFrame:
    """Make a table with one row per pair: ``difference_<value>``, ``mcnemar_<value>``, ``delong_<task>_<value>``."""
    rows = [
        {
            "first": pair["first"],
            "second": pair["second"],
            **_prefixed("difference", pair["difference"]),
            **_prefixed("mcnemar", pair["mcnemar"]),
            **{
                name: value
                for task, test in (pair["delong"] or {}).items()
                for name, value in _prefixed(f"delong_{task}", test).items()
            },
        }
        for pair in document["pairs"]
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["first", "second"])


def _prefixed(prefix: str, found: dict[str, Any] | None) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in (found or {}).items()}
