"""``brain-tumor predict``: classify an image, a scan, or a folder of them with a trained model.

From Python::

    from brain_tumor.predict import predict

    predict(["bundle=runs/first", "scans"])  # the predictions table; files, folders and slices in any number
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brain_tumor.cli.run import run_app

if TYPE_CHECKING:
    import pandas as pd


def predict(overrides: Sequence[str] = (), run_dir: str | Path = "runs/predict") -> "pd.DataFrame":
    """Predict as ``brain-tumor predict`` does.

    Args:
        overrides: Overrides as on the command line: ``["bundle=RUN", "input=FOLDER"]``.
        run_dir: Directory for ``predictions.csv``, unless ``output`` names another file.

    Returns:
        Predictions table with OOD scores, see `brain_tumor.evaluation.predictions`; its labels are empty.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    from brain_tumor.cli.arguments import with_places
    from brain_tumor.config.compose import compose

    return _run(compose(with_places(overrides, "input"), run_dir, "predict"), whole=True)


def _run(cfg: DictConfig, *, whole: bool = False) -> "pd.DataFrame":
    from brain_tumor.pipelines.prediction import predict  # imports torch: only once the config is valid

    return predict(cfg, whole=whole)


def main() -> None:
    """Run the verb from the command line."""
    run_app("predict", _run)


if __name__ == "__main__":
    main()
