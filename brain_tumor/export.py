"""``brain-tumor export``: a model for a faster engine, checked before it becomes part of its bundle.

From Python::

    from brain_tumor.export import export

    export(["bundle=runs/first", "engine=onnxruntime"])
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose

if TYPE_CHECKING:
    from brain_tumor.serving.export import Exported


def export(overrides: Sequence[str] = (), run_dir: str | Path = "runs/export") -> "Exported":
    """Export as ``brain-tumor export`` does.

    Args:
        overrides: As on the command line: ``["bundle=RUN", "engine=openvino", "precision=int8"]``.
        run_dir: Stands for ``hydra.run.dir``; the export itself goes into the bundle.

    Raises:
        BrainTumorError: A user's mistake, or a check that failed, in one sentence.
    """
    return run(compose(overrides, run_dir, "export"))


def run(cfg: DictConfig) -> "Exported":
    """Export what a composed configuration says."""
    from rich import get_console

    from brain_tumor.data.catalog import manifest
    from brain_tumor.serving.export import export
    from brain_tumor.serving.packing import bundle_of
    from brain_tumor.serving.summary import export_table

    bundle = bundle_of(cfg.bundle)
    exported = export(
        bundle,
        manifest(cfg.samples or bundle.folder.parent / "samples.csv"),
        engine=cfg.engine,
        precision=cfg.precision,
        threads=cfg.threads,
        calibration=cfg.calibration,
    )
    console = get_console()
    console.print(export_table(exported, cfg.engine, cfg.precision))
    console.print(f"Bundle: {exported.bundle.folder}", soft_wrap=True, highlight=False, markup=False)
    return exported


def main() -> None:
    """The verb."""
    run_app("export", _task)


def _task(cfg: DictConfig) -> None:
    run(cfg)


if __name__ == "__main__":
    main()
