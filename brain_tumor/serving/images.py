"""From what a user hands over to the square grey image that training saw, by the same code; read ahead by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.readers.raster import DECODE_ERRORS, grey_image
from brain_tumor.data.readers.reading import read, read_grey
from brain_tumor.errors import DataError
from brain_tumor.serving.engines import cores
from brain_tumor.types import GreyImage

ImageLike = str | Path | GreyImage | Image.Image
"""A path (or ``FILE#SLICE``), an array uint8 [H, W] or [H, W, 3 or 4], or a PIL image of any mode."""


def square(image: ImageLike, size: int) -> GreyImage:
    """Bring an image to uint8 [size, size].

    Raises:
        DataError: It cannot be read, or is no image.
    """
    if isinstance(image, str | Path):
        return fit_square(read_grey(image), size)
    if isinstance(image, Image.Image):
        return fit_square(_grey(image), size)
    return fit_square(_grey_array(image), size)


def squares_of_file(references: Sequence[str], size: int) -> list[GreyImage | DataError]:
    """Bring slices of one file, opened once, to uint8 [size, size]; from a fault on, it stands in their place."""
    found: list[GreyImage | DataError] = []
    try:
        found += (fit_square(reading.image, size) for reading in read(references))
    except DataError as error:
        found += [error] * (len(references) - len(found))
    return found


def _grey(image: Image.Image) -> GreyImage:
    try:
        return grey_image(image)
    except DECODE_ERRORS as error:
        raise DataError(f"The image cannot be decoded: {str(error).rstrip('.')}.") from error


def _grey_array(image: GreyImage) -> GreyImage:
    good = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size > 0
    if good and image.ndim == 2:
        return image
    if good and image.ndim == 3 and image.shape[2] in (3, 4):
        return grey_image(Image.fromarray(np.ascontiguousarray(image)))
    what = f"An array {image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
    raise DataError(
        f"{what} is no image; expected a path, a PIL image, or an array uint8 [height, width] or "
        "[height, width, 3 or 4]."
    )


T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Iterable[T], window: int = 64) -> Iterator[R]:
    """Yield ``function(item)`` in the order of the items, of which at most ``window`` are under way or untaken."""
    with ThreadPoolExecutor(cores()) as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
