"""Preparation of images for a model, by the code that training uses, and reading ahead with threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.raster import DECODE_ERRORS, grey_image
from brain_tumor.data.readers.reading import named, read, read_image
from brain_tumor.errors import DataError
from brain_tumor.serving.engines import cores
from brain_tumor.types import GreyImage


class Prepared(NamedTuple):
    """An image as a model takes it."""

    image: GreyImage
    """uint8 [S, S]."""
    shape: tuple[int, int]
    """Height and width of the image before, pixels."""


ImageLike = str | Path | bytes | MemoryFile | GreyImage | Image.Image
"""A path (or ``FILE#SLICE``), the content of a file, an array uint8 [H, W] or [H, W, 3 or 4], or a PIL image."""
T = TypeVar("T")
R = TypeVar("R")


def prepare_image(image: ImageLike, size: int) -> Prepared:
    """Convert an image to grey, uint8 [size, size].

    Raises:
        DataError: The image cannot be read, or is no image.
    """
    if isinstance(image, str | Path):
        return _fit(read_image(image), size)
    if isinstance(image, bytes | MemoryFile):
        file = named(image) if isinstance(image, bytes) else image
        return _fit(next(read([str(file)], {str(file): file})).image, size)
    if isinstance(image, Image.Image):
        return _fit(_grey(image), size)
    return _fit(_grey_array(image), size)


def _fit(grey: GreyImage, size: int) -> Prepared:
    return Prepared(fit_square(grey, size), (grey.shape[0], grey.shape[1]))


def _grey(image: Image.Image) -> GreyImage:
    try:
        return grey_image(image)
    except DECODE_ERRORS as error:
        raise DataError(f"The image cannot be decoded: {str(error).rstrip('.')}.") from error


def _grey_array(image: GreyImage) -> GreyImage:
    valid = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size > 0
    if valid and image.ndim == 2:
        return image
    if valid and image.ndim == 3 and image.shape[2] in (3, 4):
        return grey_image(Image.fromarray(np.ascontiguousarray(image)))
    kind = f"An array {image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
    raise DataError(
        f"{kind} is no image; expected a path, bytes, a PIL image, or an array uint8 [height, width] or "
        "[height, width, 3 or 4]."
    )


def prepare_slices(
    references: Sequence[str], size: int, memory: Mapping[str, MemoryFile] | None = None
) -> list[Prepared | DataError]:
    """Convert slices of one file, which is opened once, to grey, uint8 [size, size].

    Args:
        references: Slices of the file (``FILE#SLICE``), or its path.
        size: Side of the images, pixels.
        memory: Files that lie in memory, by name; None: it is on disk.

    Returns:
        One image per reference; from the first error on, that error in place of each image.
    """
    images: list[Prepared | DataError] = []
    try:
        images += (_fit(reading.image, size) for reading in read(references, memory))
    except DataError as error:
        images += [error] * (len(references) - len(images))
    return images


def prefetch(function: Callable[[T], R], items: Iterable[T], window: int = 64) -> Iterator[R]:
    """Yield ``function(item)`` in the order of the items, computed ahead by threads.

    Args:
        function: Function to call in a thread.
        items: Arguments of the calls, read one after the other.
        window: Largest number of items that are in progress or wait to be yielded.
    """
    with ThreadPoolExecutor(cores()) as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
