"""Write what `brain-tumor predict` found: tables, JSON, and overlays."""

import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import read, source_file
from brain_tumor.errors import ConfigError, require
from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.answer import Answer, Verdict
from brain_tumor.serving.overlay import original_heatmap, png, with_box
from brain_tumor.serving.shards import volumes_file
from brain_tumor.serving.study import Study
from brain_tumor.types import GreyImage

_DIGITS = 6
"""Decimals of probabilities and OOD scores in tables."""
VERDICT = ("decision", "abstain", "conformal_set")
"""Columns of `with_verdicts`."""


@dataclass(frozen=True)
class Found:
    """What was found, as answers and as tables."""

    study: Study
    images: pd.DataFrame
    """Predictions table with the columns `VERDICT`."""
    volumes: pd.DataFrame
    """One row per volume, with the columns `VERDICT`."""


Writer = Callable[[Found], None]
"""Function that adds a block of answers to an open file."""


def with_verdicts(table: pd.DataFrame, verdicts: "tuple[Verdict, ...]") -> pd.DataFrame:
    """Add to a table of images or volumes what its rows mean: `VERDICT`.

    Args:
        table: Table of N rows.
        verdicts: Their answers.

    Returns:
        Table with ``decision`` (tumour, no tumour, abstain, or empty for a model without a healthy class), ``abstain``
        (the reasons, joined by ``;``; empty: the model does not abstain) and ``conformal_set`` (classes, joined by
        ``;``).
    """
    rows = [
        (
            "abstain" if answer.abstain else answer.decision or "",
            ";".join(answer.reasons),
            ";".join(answer.conformal_set or ()),
        )
        for answer in verdicts
    ]
    return table.join(pd.DataFrame(rows, columns=list(VERDICT), index=table.index))


@contextmanager
def _tables(path: Path) -> Iterator[Writer]:
    with ExitStack() as files:
        drafts: dict[Path, Path] = {}

        def write(found: Found) -> None:
            for file, table in ((path, found.images), (volumes_file(path), found.volumes)):
                if file == path or len(table):
                    is_new = file not in drafts
                    if is_new:
                        drafts[file] = files.enter_context(published_file(file))
                    table.round(_DIGITS).to_csv(drafts[file], mode="a", header=is_new, index=False)

        yield write


@contextmanager
def _json_lines(path: Path) -> Iterator[Writer]:
    with published_file(path) as draft, draft.open("w", encoding="utf-8") as file:

        def write(found: Found) -> None:
            study = found.study
            lines = [{"kind": "image", **answer.to_dict()} for answer in study.images]
            lines += [{"kind": "volume", **answer.to_dict()} for answer in study.volumes]
            lines += [{"kind": "left out", "name": name, "reason": reason} for name, reason in study.left_out.items()]
            file.writelines(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)

        yield write


@contextmanager
def _json(path: Path) -> Iterator[Writer]:
    blocks: list[Found] = []
    yield blocks.append
    with published_file(path) as draft:
        document = _joined(blocks).study.to_dict()
        draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def _workbook(path: Path) -> Iterator[Writer]:
    blocks: list[Found] = []
    yield blocks.append
    found = _joined(blocks)
    left_out = pd.DataFrame(found.study.left_out.items(), columns=["name", "reason"])
    with published_file(path) as draft, pd.ExcelWriter(draft, engine="openpyxl") as book:
        for name, table in {"images": found.images, "volumes": found.volumes, "left out": left_out}.items():
            table.round(_DIGITS).to_excel(book, sheet_name=name, index=False)


FORMATS: dict[str, Callable[[Path], AbstractContextManager[Writer]]] = {
    "csv": _tables,
    "json": _json,
    "jsonl": _json_lines,
    "xlsx": _workbook,
}
"""Ending of a file → what opens it for answers, block by block: it appears when it is closed, and not at all after an
error. CSV and JSON lines hold one block in memory, the others all."""


def _joined(blocks: Sequence[Found]) -> Found:
    studies = [block.study for block in blocks]
    volumes = [block.volumes for block in blocks if len(block.volumes)] or [blocks[0].volumes]
    return Found(
        Study(
            images=tuple(answer for study in studies for answer in study.images),
            volumes=tuple(answer for study in studies for answer in study.volumes),
            left_out={name: reason for study in studies for name, reason in study.left_out.items()},
        ),
        pd.concat([block.images for block in blocks], ignore_index=True),
        pd.concat(volumes, ignore_index=True),
    )


def output_file(output: str | None, kind: str | None, folder: Path) -> Path:
    """Return the file to write: ``output``, or ``predictions`` in a folder, in the format that either of them names.

    Raises:
        ConfigError: The format is none of `FORMATS`, or ``output`` ends in another one; or its package is missing.
    """
    require(kind is None or kind in FORMATS, f"format={kind}", " or ".join(FORMATS))
    path = Path(output).expanduser() if output else folder / f"predictions.{kind or 'csv'}"
    ending = path.suffix.lower().removeprefix(".")
    endings = [kind] if kind else list(FORMATS)
    require(ending in endings, f"output={output}", "a name that ends in " + " or ".join(f".{name}" for name in endings))
    if ending == "xlsx" and importlib.util.find_spec("openpyxl") is None:
        raise ConfigError("Excel files need openpyxl; install it: pip install 'brain-tumor[excel]'.")
    return path


def write_overlays(study: Study, paths: "pd.Series[str]", folder: Path) -> int:
    """Write a PNG of each image with its heat map and box, in its own geometry; returns how many.

    Args:
        study: Answers.
        paths: Path, or ``FILE#SLICE``, of each image in ``study.images``.
        folder: Folder to write to; below it the names are those of the images, with ``.png`` behind.
    """
    by_file: dict[Path, list[tuple[Answer, str]]] = {}
    for answer, path in zip(study.images, paths, strict=True):
        by_file.setdefault(source_file(path), []).append((answer, path))
    for pairs in progress(by_file.values(), "Drawing heat maps", len(by_file)):
        readings = read([path for _, path in pairs])  # a volume is opened once for all of its slices
        for (answer, _), reading in zip(pairs, readings, strict=True):
            place = folder / overlay_name(answer.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            with published_file(place) as draft:
                draft.write_bytes(overlay_png(answer, reading.image))
    return len(study.images)


def overlay_png(answer: Answer, image: GreyImage) -> bytes:
    """Draw the heat map and the box of an answer on its image uint8 [H, W], as given: a PNG of the same size.

    On an image that the OOD detector rejects no box is drawn.
    """
    heatmap = np.zeros(image.shape, np.float32)
    if answer.map is not None:
        heatmap = original_heatmap(answer.map, answer.image_size, answer.shape)
    blended = overlay(image, heatmap)
    return png(blended if answer.box is None or answer.rejected else with_box(blended, answer.box))


def overlay_name(name: str) -> str:
    """Return the file name of the overlay of an image: ``a/scan.nii.gz#axial:5`` → ``a/scan.nii.gz#axial-5.png``.

    It never leads out of the folder that it is put into: ``/a/b.png`` and ``../a/b.png`` become ``a/b.png.png``.
    """
    parts = [part for part in PurePosixPath(re.sub(r'[:*?"<>|\\]', "-", name)).parts if part not in ("/", "..")]
    return "/".join(parts) + ".png"
