"""``brain-tumor export``: export a model to a faster engine, checked before it becomes part of its bundle.

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
    from brain_tumor.serving.bundle import Bundle
    from brain_tumor.serving.export import Exported


def export(overrides: Sequence[str] = (), run_dir: str | Path = "runs/export") -> "Exported | Bundle":
    """Export as ``brain-tumor export`` does.

    Args:
        overrides: Overrides as on the command line: ``["bundle=RUN", "engine=openvino", "precision=int8"]``.
        run_dir: Stands for ``hydra.run.dir``; the export itself goes into the bundle.

    Returns:
        The export with its checks and latencies; the bundle of an ensemble.

    Raises:
        BrainTumorError: A user's mistake, or a check that failed, in one sentence.
    """
    return _run(compose(overrides, run_dir, "export"))


def _run(cfg: DictConfig) -> "Exported | Bundle":
    from brain_tumor.pipelines.export import export_bundle  # imports torch: only once the config is valid

    return export_bundle(cfg)


def main() -> None:
    """Run the verb from the command line."""
    run_app("export", _run)


if __name__ == "__main__":
    main()
