"""Audit a data set: load it, find its faults, write the files, print the table."""

from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.audit.findings import audit_document
from brain_tumor.data.audit.output import audit_table, write_outputs
from brain_tumor.data.audit.verdict import SHOWN
from brain_tumor.errors import DataError
from brain_tumor.evaluation.report.audit_page import known_patients, write_audit_page
from brain_tumor.evaluation.report.console import show
from brain_tumor.run_dir.record import command_line
from brain_tumor.training.data_from_config import build_split, data_name, load_data, split_name


def audit(cfg: DictConfig) -> dict[str, Any]:
    """Audit the data set that a composed configuration names; returns the content of ``audit.json``."""
    data = load_data(cfg)
    split, fault = _split(cfg, data.samples)
    name = split_name(cfg, set(data.samples["split"]))
    document = audit_document(data, split, name=data_name(cfg), split_name=name, seed=cfg.seed, split_fault=fault)
    run_dir = Path(cfg.paths.run_dir)
    write_outputs(run_dir, document, data, split)
    write_audit_page(run_dir / "audit.html", document, data, split, command_line())
    for number, sentence in enumerate(document["verdict"][:SHOWN], start=1):
        show(f"{number}. {sentence}", style="bold")
    show(audit_table(document))
    for note in known_patients(document):
        show(f"Note: {note}")
    show(f"Page: {run_dir / 'audit.html'}", soft_wrap=True)
    return document


def _split(cfg: DictConfig, samples: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Fill ``split``; data that cannot be split are audited all the same, with the published split.

    Returns:
        The samples, and why they could not be split, empty if they could.
    """
    try:
        return build_split(cfg)(samples), ""
    except DataError as error:
        return samples, str(error)
