"""Artifacts in wandb: the split that a run was given, the model that it made."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

_LEFT_OUT = ["path", "mask_path", "patient_id"]
"""Columns of the samples table that stay on this machine; ``split=file`` needs none of them."""


def use_split(run: Any, samples: pd.DataFrame, facts: dict[str, Any], name: str) -> None:
    """Log the split as an input of the run; equal splits of equal data are one version.

    Args:
        run: Of wandb.
        samples: The samples table.
        facts: Of the data: digest, counts, licence, source, leakage; become metadata.
        name: Of the data.
    """
    import wandb

    artifact = wandb.Artifact(f"split-{_safe(name)}", type="dataset", metadata=facts)
    with artifact.new_file("samples.csv", mode="w", encoding="utf-8") as file:
        samples.drop(columns=_LEFT_OUT).to_csv(file, index=False)
    _use(run, artifact, [_safe(facts["split"])])


def log_model(run: Any, run_dir: Path, metadata: dict[str, Any]) -> None:
    """Log the bundle and the best checkpoint, with results and configuration, as the model that the run made.

    Args:
        run: Of wandb.
        run_dir: The run directory.
        metadata: What somebody who finds the model must know.
    """
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=metadata)
    bundle = sorted(path.relative_to(run_dir).as_posix() for path in (run_dir / "bundle").glob("*"))
    for file in ("checkpoints/best.ckpt", "results.json", ".hydra/config.yaml", *bundle):
        if (run_dir / file).is_file():
            # immutable: it is read from where it lies, which spares a copy on this disk
            artifact.add_file(str(run_dir / file), name=file.removeprefix("."), policy="immutable")
    run.log_artifact(artifact, aliases=["best"])


def _use(run: Any, artifact: Any, aliases: list[str]) -> None:
    """As ``run.use_artifact``, which refuses to work offline and would wait for the upload, for ever if need be."""
    try:
        run._log_artifact(artifact, aliases=aliases, is_user_created=True, use_after_commit=True)
    except (AttributeError, TypeError):  # of another version of wandb: then as an output
        run.log_artifact(artifact, aliases=aliases)


def _safe(name: str) -> str:
    """Of the letters that artifacts may have."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "data"
