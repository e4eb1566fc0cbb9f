"""``brain-tumor audit``: find duplicates, leakage, label conflicts and shortcuts in a data set.

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
        overrides: Overrides as on the command line: ``["data=folder", "data.root=DIR"]``.
        run_dir: Directory for ``audit.json``, ``audit.html``, ``pairs.csv`` and ``samples.csv``.

    Returns:
        Content of ``audit.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    return _run(compose(overrides, run_dir, "audit"))


def _run(cfg: DictConfig) -> dict[str, Any]:
    from brain_tumor.pipelines.audit import audit  # imports for seconds: only once the config is valid

    return audit(cfg)


def main() -> None:
    """Run the verb from the command line."""
    run_app("audit", _run)


if __name__ == "__main__":
    main()
