"""The files an audit leaves."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.data.audit.page import write_page
from brain_tumor.data.loading import LoadedData
from brain_tumor.data.publish import published_file
from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError


def write_outputs(
    folder: Path, document: dict[str, Any], data: LoadedData, split: pd.DataFrame, *, command: str
) -> None:
    """Write ``audit.json``, ``pairs.csv``, ``samples.csv`` and ``audit.html``, each in one step.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with published_file(folder / "audit.json") as draft:
            draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        write_table(pairs_table(data), folder / "pairs.csv")
        write_table(split, folder / "samples.csv")
        write_page(
            folder / "audit.html",
            title=f"Audit of {document['name']}",
            document=document,
            data=data,
            split=split,
            command=command,
        )
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error}); set hydra.run.dir.") from error


def pairs_table(data: LoadedData) -> pd.DataFrame:
    """``path_a, path_b, kind, similarity, mirrored`` (0 or 1), with sample ids as paths."""
    names = data.samples["sample_id"].to_numpy(object)
    return pd.DataFrame(
        {
            "path_a": names[data.pairs["left"]],
            "path_b": names[data.pairs["right"]],
            "kind": data.pairs["kind"],
            "similarity": data.pairs["similarity"],
            "mirrored": data.pairs["mirrored"].astype(int),
        }
    )
