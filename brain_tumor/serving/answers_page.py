"""One self-contained page with what a model says of images and volumes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import read_image
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.raster import data_uri
from brain_tumor.serving.answer import (
    ABSTAINS,
    LOW_CONFIDENCE,
    NO_TUMOUR,
    Answer,
    Verdict,
    VolumeAnswer,
)
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.output import overlay_png
from brain_tumor.serving.study import Study

_MOST = 500
"""Largest number of images on a page; volumes are not limited."""
_SIDE = 384
"""Longer side of the images on the page, pixels."""
_OUT_OF_DISTRIBUTION = "Out of distribution: unlike the scans that the model was trained on. Do not use this answer."


def write_answers_page(path: Path, study: Study, paths: Mapping[str, str], bundle: Bundle, command: str) -> None:
    """Write the page in one step.

    Args:
        path: File to write.
        study: Answers.
        paths: Name of an image → its path, or ``FILE#SLICE``.
        bundle: Model.
        command: Command line, for the reader.
    """
    alone = [answer for answer in study.images if not answer.series]
    by_name = {answer.name: answer for answer in study.images}
    shown = [*alone[:_MOST], *(by_name[volume.key_slice] for volume in study.volumes if volume.key_slice)]
    drawn = {
        answer.name: _drawn(answer, paths[answer.name]) for answer in progress(shown, "Drawing the page", len(shown))
    }
    outcomes = Counter(answer.outcome for answer in (*alone, *study.volumes))
    slices = [answer for answer in study.images if answer.series]
    doubtful = sum(answer.abstain for answer in slices)
    ordered = sorted(outcomes, key=lambda name: (name == ABSTAINS, name == NO_TUMOUR, name))
    told = ", ".join(f"{outcomes[name]} {name}" for name in ordered)
    write_page(
        path,
        "predictions.html.j2",
        title=f"model {bundle.version}",
        headline=f"{_cases(len(alone), len(study.volumes), len(slices))}: {told}.",
        notes=[
            "Probabilities are calibrated on the model's validation; they hold for scans like those. A map shows where "
            "the model sees a tumour, and proves nothing.",
        ],
        counts=[
            *((name, str(outcomes[name])) for name in ordered),
            *([("slices the model abstains on", f"{doubtful} of {len(slices)}")] if slices else []),
            ("files left out", str(len(study.left_out))),
        ],
        volumes=[_volume_card(volume, drawn, bundle) for volume in study.volumes],
        images=[_image_card(answer, drawn[answer.name], bundle) for answer in alone[:_MOST]],
        more=max(0, len(alone) - _MOST),
        left_out=study.left_out,
        command=command,
    )


def _cases(images: int, volumes: int, slices: int) -> str:
    """Say how many cases there are: ``3 volumes (18 slices) and 1 image``."""
    parts = [f"{volumes} volume{'s' * (volumes != 1)} ({slices} slice{'s' * (slices != 1)})"] if volumes else []
    parts += [f"{images} image{'s' * (images != 1)}"] if images or not volumes else []
    return " and ".join(parts)


def _drawn(answer: Answer, path: str) -> str:
    """Draw an image with its heat map, no larger than `_SIDE`, as `data:` URI."""
    encoded = np.frombuffer(overlay_png(answer, read_image(path)), np.uint8)
    image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]
    scale = _SIDE / max(image.shape[:2])
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return data_uri(image)


def _image_card(answer: Answer, src: str, bundle: Bundle) -> dict[str, Any]:
    return _card(answer, answer.name, src, [], bundle) | {"outlined": answer.box is not None and not answer.rejected}


def _volume_card(volume: VolumeAnswer, drawn: Mapping[str, str], bundle: Bundle) -> dict[str, Any]:
    facts = [f"{volume.slices} slice{'s' * (volume.slices != 1)} looked at, {volume.rejected} of them rejected."]
    if volume.key_slice:
        facts.append(f"Key slice: {volume.key_slice}.")
    if volume.map_slice:
        facts.append(f"Largest marked area: {volume.map_slice}.")
    folder = str(PurePosixPath(volume.key_slice).parent)
    named_by_folder = folder not in (".", "") and volume.series not in volume.key_slice  # a DICOM series has no name
    if named_by_folder:
        facts.append(f"Series {volume.series}.")
    return _card(
        volume, folder if named_by_folder else volume.series, drawn.get(volume.key_slice, ""), facts, bundle
    ) | {"outlined": True}


def _class_in_words(verdict: Verdict) -> str:
    if not verdict.prediction or verdict.outcome in (verdict.prediction, NO_TUMOUR):
        return ""
    return f"most probable: {verdict.prediction}, not to be used" if verdict.abstain else verdict.prediction


def _warning(reason: str, verdict: Verdict, bundle: Bundle) -> str:
    if reason != LOW_CONFIDENCE or bundle.abstain_below is None:
        return _OUT_OF_DISTRIBUTION
    highest = max(verdict.probabilities.values())
    return (
        f"Low confidence: {highest:.1%} is below {bundle.abstain_below:.1%}, the limit that validation chose. The "
        "model leaves this case to a person."
    )


def _card(verdict: Verdict, name: str, src: str, facts: Sequence[str], bundle: Bundle) -> dict[str, Any]:
    others = [name for name in verdict.conformal_set or () if name != verdict.prediction]
    if others:
        facts = [*facts, f"Not ruled out: {', '.join(others)}."]
    bars = sorted(verdict.probabilities.items(), key=lambda item: -item[1])
    return {
        "name": name,
        "src": src,
        "decision": verdict.outcome,
        "prediction": _class_in_words(verdict),
        "warnings": [_warning(reason, verdict, bundle) for reason in verdict.reasons],
        "bars": bars,
        "facts": facts,
    }
