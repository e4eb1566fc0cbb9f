"""Images of a request as PNG, with what the model sees in them."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import read, source_file
from brain_tumor.errors import DataError
from brain_tumor.serving.answer import Answer
from brain_tumor.serving.output import overlay_png
from brain_tumor.serving.overlay import original_heatmap
from brain_tumor.serving.service.http_errors import NoMapError, NoPredictionError
from brain_tumor.serving.study import Study
from brain_tumor.types import GreyImage

_SIDE = 1024
"""Longest side of the images that are sent back to be looked at, pixels."""


def overlay_of(study: Study, memory: Mapping[str, MemoryFile], name: str | None) -> bytes:
    """Draw one image of a request with its heat map and box, as PNG of its own size.

    Args:
        study: Answers.
        memory: Files of the request, by name.
        name: Name of the image or slice; None: the slice of the first volume with the largest marked area, else the
            slice with the highest tumour score, else the first image.

    Raises:
        NoPredictionError: None of the files can be predicted.
        NoMapError: The model draws no map.
        DataError: There is no image of this name.
    """
    if not study.images:
        raise NoPredictionError(study.left_out)
    by_name = {answer.name: answer for answer in study.images}
    volume = study.volumes[0] if study.volumes else None
    wanted = name or (volume and (volume.map_slice or volume.key_slice)) or study.images[0].name
    if wanted not in by_name:
        raise DataError(f"The request holds no image named {wanted!r}; images are {', '.join([*by_name][:5])}.")
    answer = by_name[wanted]
    if answer.map is None:
        raise NoMapError("This model draws no heat map; train one with localizer=map.")
    return overlay_png(answer, next(read([wanted], memory)).image)


def with_images(study: Study, memory: Mapping[str, MemoryFile]) -> dict[str, Any]:
    """Describe answers, each image with what it shows.

    Args:
        study: Answers.
        memory: Files of the request, by name.

    Returns:
        ``study.to_dict()``; each image has two more fields, base64 of PNGs of the same size, at most `_SIDE` pixels:
        ``image`` is grey, as the model reads it; ``heatmap`` is the probability of tumour, 0 to 255, None without map.
    """
    described = study.to_dict()
    by_file: dict[Path, list[int]] = {}
    for position, answer in enumerate(study.images):
        by_file.setdefault(source_file(answer.name), []).append(position)
    for positions in by_file.values():
        readings = read([study.images[position].name for position in positions], memory)
        for position, reading in zip(positions, readings, strict=True):
            described["images"][position] |= _images(study.images[position], reading.image)
    return described


def _images(answer: Answer, image: GreyImage) -> dict[str, str | None]:
    scale = min(1.0, _SIDE / max(image.shape))
    size = [max(1, round(scale * side)) for side in image.shape[::-1]]
    heatmap = None
    if answer.map is not None:
        probability = original_heatmap(answer.map, answer.image_size, answer.shape)
        heatmap = _png(np.rint(255 * probability).astype(np.uint8), size)
    return {"image": _png(image, size), "heatmap": heatmap}


def _png(grey: GreyImage, size: Sequence[int]) -> str:
    if list(grey.shape[::-1]) != list(size):
        grey = np.asarray(cv2.resize(grey, tuple(size), interpolation=cv2.INTER_AREA), np.uint8)
    return base64.b64encode(cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()).decode()
