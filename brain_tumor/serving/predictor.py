"""The predictor: an image in, an answer out.

    from brain_tumor import Predictor

    answer = Predictor.load("runs/first")("scan.png")
    answer.prediction, answer.probabilities, answer.detection, answer.rejected

Research use only; not a medical device.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from brain_tumor.errors import BundleError
from brain_tumor.evaluation.ood.detector import OODDetector
from brain_tumor.serving.bundle import Bundle, read_bundle
from brain_tumor.serving.engines import AUTO, Engine, Outputs, open_engine
from brain_tumor.serving.images import ImageLike, prefetch, prepare_image
from brain_tumor.types import Floats, GreyImage


@dataclass(frozen=True)
class Answer:
    """What a model says of one image. Research use only; not a medical device."""

    prediction: str
    """The most probable class."""
    probabilities: dict[str, float]
    """Class → probability; they sum to 1."""
    detection: float | None
    """1 − p(healthy class), in [0, 1]: is there a tumour? None for a model without a healthy class."""
    rejected: bool | None
    """Whether the OOD detector rejects the image, so that its prediction must not be used; None without a detector."""
    ood_score: float | None
    """How far above the detector's limit, see `brain_tumor.evaluation.ood.detector`: above 0 is rejected."""
    version: str
    """Of the model."""


class Assessment(NamedTuple):
    """What a model makes of B images."""

    probabilities: Floats
    """float64 [B, classes], in the order of the bundle's classes."""
    ood_score: Floats | None
    """float64 [B], above 0 is foreign; None: the model has no detector."""


class Predictor:
    """Answers for images of any kind that training reads, preprocessed by the code that training ran.

    Args:
        bundle: Of the model.
        engine: Runs its network.
    """

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle, self._engine, self._detector = bundle, engine, open_detector(bundle)

    @classmethod
    def load(cls, model: str | Path, engine: str = AUTO, precision: str = "fp32", threads: int | None = None) -> Self:
        """Load a model.

        Args:
            model: A bundle, or the run directory it lies in.
            engine: ``torch``, or ``onnxruntime`` or ``openvino`` where ``brain-tumor export`` made and checked that;
                ``auto`` takes the first exported one that is installed, else torch.
            precision: ``fp32``, or ``bf16`` or ``int8`` where that was exported.
            threads: That one call computes with; None is one for each physical core that this process may use. (With
                torch they are set for the whole process, and None leaves them as they are.)

        Raises:
            BrainTumorError: There is no such bundle, it is damaged, or cannot do what is asked; in one sentence.
        """
        bundle = read_bundle(model)
        return cls(bundle, open_engine(bundle, engine, precision, threads))

    def __call__(self, image: ImageLike) -> Answer:
        """Answer for one image: a path, an array uint8 [H, W] or [H, W, 3 or 4], or a PIL image.

        Raises:
            DataError: It cannot be read, or is no image.
        """
        return self._answers(self.assess(prepare_image(image, self.bundle.image_size)[None]))[0]

    def batch(self, images: Iterable[ImageLike], batch_size: int = 32) -> list[Answer]:
        """Answer for many images, ``batch_size`` at a time; the next are read while these are computed.

        Raises:
            DataError: One of them cannot be read, or is no image.
        """
        answers: list[Answer] = []
        squares = prefetch(partial(prepare_image, size=self.bundle.image_size), images, 2 * batch_size)
        while ready := list(islice(squares, batch_size)):
            answers += self._answers(self.assess(ready))
        return answers

    def probabilities(self, squares: Iterable[GreyImage]) -> Floats:
        """Probabilities float64 [B, classes], in the order of the bundle's classes.

        Args:
            squares: B grey images uint8 [S, S] of the bundle's image size, such as `images.prepare_image` returns.
        """
        return softmax(self._run(squares).logits, self.bundle.temperature)

    def assess(self, squares: Iterable[GreyImage]) -> Assessment:
        """Probabilities and ood_score of B images, as `probabilities` takes them.

        Raises:
            BundleError: The detector was fitted on another network.
        """
        outputs = self._run(squares)
        ood_score = None if self._detector is None else measure(self._detector, outputs, self.bundle)
        return Assessment(softmax(outputs.logits, self.bundle.temperature), ood_score)

    def _run(self, squares: Iterable[GreyImage]) -> Outputs:
        return self._engine(np.stack(list(squares))[:, None])

    def _answers(self, found: Assessment) -> list[Answer]:
        ood_score = found.ood_score.tolist() if found.ood_score is not None else [None] * len(found.probabilities)
        return [self._answer(*one) for one in zip(found.probabilities, ood_score, strict=True)]

    def _answer(self, row: Floats, ood_score: float | None) -> Answer:
        by_class = dict(zip(self.bundle.classes, row.tolist(), strict=True))
        healthy = self.bundle.healthy_class
        return Answer(
            prediction=self.bundle.classes[int(row.argmax())],
            probabilities=by_class,
            detection=None if healthy is None else 1 - by_class[healthy],
            rejected=None if ood_score is None else ood_score > 0,
            ood_score=ood_score,
            version=self.bundle.version,
        )


def softmax(logits: npt.NDArray[np.float32], temperature: float = 1.0) -> Floats:
    """Probabilities float64 [B, C] of logits [B, C] divided by a temperature (Guo 2017)."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def open_detector(bundle: Bundle) -> OODDetector | None:
    """The detector in a bundle, if it has one.

    Raises:
        BundleError: It is damaged.
    """
    if bundle.ood_detector is None:
        return None
    try:
        return OODDetector.from_bytes(bundle.read(bundle.ood_detector.file))
    except ValueError as error:
        raise BundleError(
            f"{bundle.folder / bundle.ood_detector.file} holds no detector ({error}); copy the whole bundle again."
        ) from error


def measure(detector: OODDetector, outputs: Outputs, bundle: Bundle) -> npt.NDArray[np.float64]:
    """The OOD score float64 [B]; above 0 is foreign.

    Raises:
        BundleError: As `features_for`.
    """
    return detector.ood_score(features_for(detector, outputs, bundle), outputs.logits)


def features_for(detector: OODDetector, outputs: Outputs, bundle: Bundle) -> npt.NDArray[np.float32]:
    """Features [B, D] as a detector needs them.

    Raises:
        BundleError: The detector was fitted on another network than that which the engine runs.
    """
    wanted = detector.normal.centre.size
    if outputs.features is None or outputs.features.shape[1] != wanted:
        found = "no" if outputs.features is None else outputs.features.shape[1]
        raise BundleError(
            f"The detector of {bundle.folder} needs {wanted} features and the engine yields {found}; "
            "export the model again, or train it again."
        )
    return outputs.features
