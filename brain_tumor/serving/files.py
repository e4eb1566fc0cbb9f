"""From files and folders to a predictions table, however many there are."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brain_tumor.data.class_folders import image_files
from brain_tumor.data.listing import Listing
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.readers.volumes import ScanRules, Scans, find_scans
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.map_boxes import with_boxes
from brain_tumor.evaluation.predictions import predictions_frame, with_ood_scores
from brain_tumor.serving.images import Prepared, prefetch, prepare_slices
from brain_tumor.serving.predictor import Assessment, Predictor
from brain_tumor.types import GreyImage


@dataclass(frozen=True)
class FoundImages:
    """The images to predict, and what became of all other files."""

    listing: Listing
    """Samples without labels, in natural order, and the files left out."""
    slices: dict[str, int]
    """``series`` of each volume → number of its slices, taken or not."""
    place: Path | None
    """File or folder that was searched; None: several."""


def find_images(places: str | Sequence[str], rules: ScanRules) -> FoundImages:
    """List samples without labels: of files, slices of files (``FILE#SLICE``), and all images below folders.

    Args:
        places: Path of a file, slice or folder, or several of them. Of a single one, images are named below it; of
            several, they have the names that were given.
        rules: Which files and slices of volumes are taken.

    Raises:
        DataError: A path does not exist, or no image is taken.
    """
    given = [places] if isinstance(places, str) else [str(place) for place in places]
    rows: list[dict[str, str]] = []
    scans = Scans([], {}, {})
    for place in dict.fromkeys(given):
        found, home = _scans_at(Path(place).expanduser(), rules)
        scans.add(found)
        start = home if len(given) == 1 else Path()
        rows += [{**row, "sample_id": _below(row["path"], start)} for row in found.rows]
    if not rows:
        why = ", ".join(f"{count} × {reason}" for reason, count in Counter(scans.left_out.values()).most_common())
        raise DataError(
            f"{', '.join(given[:3])} {'holds' if len(given) == 1 else 'hold'} no images to predict "
            f"({why or 'no file of a known format'}); give others, or change data.slices, data.modalities and their "
            "neighbours."
        )
    samples = samples_table(rows).drop_duplicates("path").reset_index(drop=True)
    order = sorted(range(len(samples)), key=lambda row: natural_key(samples["sample_id"][row]))
    only = Path(given[0]).expanduser() if len(given) == 1 else None
    return FoundImages(Listing(samples.iloc[order].reset_index(drop=True), scans.left_out), scans.slices, only)


def _scans_at(path: Path, rules: ScanRules) -> tuple[Scans, Path]:
    """Find the images at a path, and the folder below which they are named."""
    if path.is_dir():
        return find_scans(image_files(path), path, rules), path
    if not source_file(str(path)).is_file():
        raise DataError(f"{path} does not exist; give an image, a scan, or a folder of them.")
    if source_file(str(path)) == path:
        return find_scans([path], path.parent, rules), path.parent
    return Scans([{"path": str(path)}], {}, {}), path.parent


def _below(path: str, home: Path) -> str:
    """Return a path below a folder; one that is not stays as it is."""
    return Path(path).relative_to(home).as_posix() if Path(path).is_relative_to(home) else path


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by their value: ``scan2`` before ``scan10``."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"([0-9]+)", name)]


def stream_images(
    references: Sequence[str], size: int, memory: Mapping[str, MemoryFile] | None = None
) -> Iterator[tuple[int, Prepared | DataError]]:
    """Read images file by file, each file once, with threads that read some files ahead.

    Args:
        references: Paths, or slices of volumes (``FILE#SLICE``).
        size: Side of the images, S.
        memory: Files that lie in memory, by name; None: all are on disk.

    Yields:
        Position of a reference, with its image or the error where it cannot be read.
    """
    by_file: dict[Path, list[int]] = {}
    for position, reference in enumerate(references):
        by_file.setdefault(source_file(reference), []).append(position)

    def read(positions: list[int]) -> list[tuple[int, Prepared | DataError]]:
        images = prepare_slices([references[position] for position in positions], size, memory)
        return list(zip(positions, images, strict=True))

    if len(by_file) == 1:  # nothing to read ahead, and threads take longer to start than an image to read
        yield from read(list(range(len(references))))
        return
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
        images[position] = image.image
    return images


@dataclass(frozen=True)
class AssessedImages:
    """What a model computes for N images that could be read."""

    rows: list[int]
    """Position of each of them in what was given, ascending."""
    found: Assessment
    """What the model computed."""
    shapes: list[tuple[int, int]]
    """Height and width of each image that was given, pixels."""
    errors: dict[int, DataError]
    """Position of an image that cannot be read → why."""


def assess_images(
    predictor: Predictor, references: Sequence[str], batch_size: int, memory: Mapping[str, MemoryFile] | None = None
) -> AssessedImages:
    """Read and compute images, with a progress bar.

    Args:
        predictor: Predictor of the model.
        references: Paths, or slices of volumes (``FILE#SLICE``).
        batch_size: Number of images per batch.
        memory: Files that lie in memory, by name; None: all are on disk.
    """
    positions: list[int] = []
    shapes: list[tuple[int, int]] = []
    errors: dict[int, DataError] = {}

    def readable() -> Iterator[GreyImage]:
        images = stream_images(references, predictor.bundle.image_size, memory)
        for position, image in progress(images, "Predicting", len(references)):
            if isinstance(image, DataError):
                errors[position] = image
            else:
                positions.append(position)
                shapes.append(image.shape)
                yield image.image

    computed = predictor.assess(readable(), batch_size)
    order = np.argsort(positions).astype(np.int64)  # files are read together, in whatever order their slices are listed
    return AssessedImages(sorted(positions), computed.in_order(order), [shapes[row] for row in order], errors)


@dataclass(frozen=True)
class PredictedImages:
    """Predictions of N images that could be read, in the order of their samples."""

    table: pd.DataFrame
    """Predictions table, N rows."""
    found: Assessment
    """What the model computed."""
    shapes: list[tuple[int, int]]
    """Height and width of each image that was given, pixels."""
    errors: dict[str, DataError]
    """``sample_id`` of an image that cannot be read → why."""


def predict_images(predictor: Predictor, samples: pd.DataFrame, batch_size: int) -> PredictedImages:
    """Predict images, with a progress bar.

    Args:
        predictor: Predictor of the model.
        samples: Samples table.
        batch_size: Number of images per batch.
    """
    assessed = assess_images(predictor, samples["path"].tolist(), batch_size)
    errors = {samples["sample_id"].iloc[position]: error for position, error in assessed.errors.items()}
    return PredictedImages(predictions_of(predictor, samples, assessed), assessed.found, assessed.shapes, errors)


def predictions_of(predictor: Predictor, samples: pd.DataFrame, assessed: AssessedImages) -> pd.DataFrame:
    """Make the predictions table of images.

    Args:
        predictor: Predictor that computed them.
        samples: Samples table of what was given.
        assessed: What was computed.
    """
    read, found = samples.iloc[assessed.rows], assessed.found
    own = read["patient_id"].where(read["patient_id"] != "", read["series"])  # without either an image is on its own
    groups = read["group"].where(read["group"] != "", own)
    table = predictions_frame(read.assign(group=groups), predictor.bundle.classes, found.probabilities)
    if found.maps is not None:
        size, threshold = predictor.bundle.image_size, predictor.map_threshold
        table = with_boxes(table, found.maps, assessed.shapes, size, threshold)
    return with_ood_scores(table, found.ood_score)
