"""From files and folders to a predictions table, however many there are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brain_tumor.data.folder_and_manifest import image_files
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.readers.volumes import Slicing, scan_rows
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.predictions import predictions_frame, with_ood_scores
from brain_tumor.serving.images import prefetch, prepare_slices
from brain_tumor.serving.predictor import Predictor
from brain_tumor.types import GreyImage


def find_images(place: str, slicing: Slicing) -> pd.DataFrame:
    """List samples without labels: a file, one slice of a file (``FILE#SLICE``), or all images below a folder.

    Args:
        place: Path of the file, slice or folder.
        slicing: Which slices of volumes to take, as in training.

    Raises:
        DataError: The path does not exist, or there are no images.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        rows = scan_rows(sorted(image_files(path)), path, slicing)
        samples = [{**row, "sample_id": Path(row["path"]).relative_to(path).as_posix()} for row in rows]
    elif source_file(str(path)).is_file():
        whole = source_file(str(path)) == path
        rows = scan_rows([path], path.parent, slicing) if whole else [{"path": str(path)}]
        samples = [{**row, "sample_id": Path(row["path"]).name} for row in rows]
    else:
        raise DataError(f"{place} does not exist; give an image, a scan, or a folder of them.")
    if not samples:
        raise DataError(
            f"{place} holds no images, or data.slices selects no slice of its scans; give an image or a folder."
        )
    return samples_table(samples)


def stream_images(references: Sequence[str], size: int) -> Iterator[tuple[int, GreyImage | DataError]]:
    """Read images file by file, each file once, with threads that read some files ahead.

    Args:
        references: Paths, or slices of volumes (``FILE#SLICE``).
        size: Side of the images, S.

    Yields:
        Position of a reference, with its image uint8 [S, S] or the error where it cannot be read.
    """
    by_file: dict[Path, list[int]] = {}
    for position, reference in enumerate(references):
        by_file.setdefault(source_file(reference), []).append(position)

    def read(positions: list[int]) -> list[tuple[int, GreyImage | DataError]]:
        images = prepare_slices([references[position] for position in positions], size)
        return list(zip(positions, images, strict=True))

    for images in prefetch(read, by_file.values()):
        yield from images


def read_images(references: Sequence[str], size: int, doing: str) -> GreyImage:
    """Read images uint8 [N, size, size] with a progress bar.

    Raises:
        DataError: One of them cannot be read.
    """
    images = np.empty((len(references), size, size), np.uint8)
    for position, image in progress(stream_images(references, size), doing, len(references)):
        if isinstance(image, DataError):
            raise image
        images[position] = image
    return images


def predict_table(predictor: Predictor, samples: pd.DataFrame, batch_size: int) -> tuple[pd.DataFrame, list[DataError]]:
    """Predict images, with a progress bar.

    Args:
        predictor: Predictor of the model.
        samples: Samples table.
        batch_size: Number of images per batch.

    Returns:
        Predictions table of the images that can be read, and the errors of the others.
    """
    positions: list[int] = []
    errors: list[DataError] = []

    def readable() -> Iterator[GreyImage]:
        images = stream_images(samples["path"].tolist(), predictor.bundle.image_size)
        for position, image in progress(images, "Predicting", len(samples)):
            if isinstance(image, DataError):
                errors.append(image)
            else:
                positions.append(position)
                yield image

    probabilities, ood_score = predictor.assess(readable(), batch_size)
    order = np.argsort(positions)  # files are read together, in whatever order the samples list their slices
    read = samples.iloc[sorted(positions)]
    table = predictions_frame(read, predictor.bundle.classes, probabilities[order])
    return with_ood_scores(table, None if ood_score is None else ood_score[order]), errors
