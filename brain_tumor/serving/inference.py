"""Files and folders → squares → a predictions table, however many there are."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from brain_tumor.data.catalog import image_files
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.readers.volumes import Slicing, scan_rows
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.predictions import predictions_frame, with_ood_scores
from brain_tumor.serving.images import prefetch, prepare_slices
from brain_tumor.serving.predictor import Assessment, Predictor
from brain_tumor.types import GreyImage


def find_images(place: str, slicing: Slicing) -> pd.DataFrame:
    """Samples without labels: a file, one slice of a file (``FILE#SLICE``), or all images below a folder.

    Args:
        place: Where they lie.
        slicing: How volumes are cut, as in training.

    Raises:
        DataError: There is nothing.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        rows = scan_rows(sorted(image_files(path)), path, slicing)
        known = [{**row, "sample_id": Path(row["path"]).relative_to(path).as_posix()} for row in rows]
    elif source_file(str(path)).is_file():
        whole = source_file(str(path)) == path
        rows = scan_rows([path], path.parent, slicing) if whole else [{"path": str(path)}]
        known = [{**row, "sample_id": Path(row["path"]).name} for row in rows]
    else:
        raise DataError(f"{place} does not exist; give an image, a scan, or a folder of them.")
    if not known:
        raise DataError(f"{place} holds no images, or of its scans no slice is taken; give an image or a folder.")
    return samples_table(known)


def read_squares(references: Sequence[str], size: int) -> Iterator[tuple[int, GreyImage | DataError]]:
    """Positions of references with what they show, uint8 [size, size], or why not; each file is opened once.

    They come file by file, read by threads some files ahead.
    """
    by_file: dict[Path, list[int]] = {}
    for position, reference in enumerate(references):
        by_file.setdefault(source_file(reference), []).append(position)

    def read(positions: list[int]) -> list[tuple[int, GreyImage | DataError]]:
        found = prepare_slices([references[position] for position in positions], size)
        return list(zip(positions, found, strict=True))

    for squares in prefetch(read, by_file.values()):
        yield from squares


def squares_of(references: Sequence[str], size: int, doing: str) -> GreyImage:
    """What all references show, uint8 [N, size, size], with a progress bar.

    Raises:
        DataError: One cannot be read.
    """
    squares = np.empty((len(references), size, size), np.uint8)
    for position, square in progress(read_squares(references, size), doing, len(references)):
        if isinstance(square, DataError):
            raise square
        squares[position] = square
    return squares


def assess_all(predictor: Predictor, squares: GreyImage, doing: str, batch_size: int = 32) -> Assessment:
    """Assess images uint8 [N, S, S] of the bundle's image size, with a progress bar."""
    starts = range(0, len(squares), batch_size)
    parts = [predictor.assess(squares[start : start + batch_size]) for start in progress(starts, doing)]
    gated = [part.ood_score for part in parts if part.ood_score is not None]
    return Assessment(np.concatenate([part.probabilities for part in parts]), np.concatenate(gated) if gated else None)


def predict_table(predictor: Predictor, samples: pd.DataFrame, batch_size: int) -> tuple[pd.DataFrame, list[DataError]]:
    """Predict images, with a progress bar.

    Args:
        predictor: Of the model.
        samples: A samples table.
        batch_size: Images computed at a time.

    Returns:
        The predictions table of those that can be read, and what is wrong with the others.
    """
    probabilities = np.full((len(samples), len(predictor.bundle.classes)), np.nan)
    ood_score = np.full(len(samples), np.nan)
    faults: list[DataError] = []
    squares = read_squares(samples["path"].tolist(), predictor.bundle.image_size)
    readable = _readable(progress(squares, "Predicting", len(samples)), faults)
    while batch := list(islice(readable, batch_size)):
        positions, images = zip(*batch, strict=True)
        found = predictor.assess(images)
        probabilities[list(positions)] = found.probabilities
        if found.ood_score is not None:
            ood_score[list(positions)] = found.ood_score
    known = ~np.isnan(probabilities[:, 0])
    table = predictions_frame(samples[known], predictor.bundle.classes, probabilities[known])
    return with_ood_scores(table, ood_score[known]), faults


def _readable(
    squares: Iterable[tuple[int, GreyImage | DataError]], faults: list[DataError]
) -> Iterator[tuple[int, GreyImage]]:
    for position, square in squares:
        if isinstance(square, DataError):
            faults.append(square)
        else:
            yield position, square
