"""``brain-tumor audit``: what is wrong with a data set, and which of its images must stand on one side of a split.

From Python::

    from brain_tumor.audit import audit

    audit(["data=folder", "data.root=scans"], run_dir="runs/audit")["label_conflicts"]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose


def audit(overrides: Sequence[str] = (), run_dir: str | Path = "runs/audit") -> dict[str, Any]:
    """Audit as ``brain-tumor audit`` does.

    Args:
        overrides: As on the command line: ``["data=folder", "data.root=DIR"]``.
        run_dir: Where ``audit.json``, ``audit.html``, ``pairs.csv`` and ``samples.csv`` go.

    Returns:
        The content of ``audit.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    return run(compose(overrides, run_dir, "audit"))


def run(cfg: DictConfig) -> dict[str, Any]:
    """Audit what a composed configuration says."""
    from rich import get_console

    from brain_tumor.data.audit.findings import audit_document
    from brain_tumor.data.audit.output import audit_table, write_outputs
    from brain_tumor.evaluation.report.audit_page import write_audit_page
    from brain_tumor.run_dir.record import command_line
    from brain_tumor.training.data import build_split, data_name, load_data, split_name

    data = load_data(cfg)
    split = build_split(cfg)(data.samples)
    known_as = split_name(cfg, set(data.samples["split"]))
    document = audit_document(data, split, name=data_name(cfg), split_name=known_as, seed=cfg.seed)
    folder = Path(cfg.paths.run_dir)
    write_outputs(folder, document, data, split)
    write_audit_page(folder / "audit.html", document, data, split, command_line())
    console = get_console()
    console.print(audit_table(document))
    console.print(f"Page: {folder / 'audit.html'}", soft_wrap=True, highlight=False, markup=False)
    return document


def main() -> None:
    """The verb."""
    run_app("audit", _task)


def _task(cfg: DictConfig) -> None:
    run(cfg)


if __name__ == "__main__":
    main()
