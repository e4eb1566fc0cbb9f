"""The predictor: images in, calibrated predictions out.

    from brain_tumor import Predictor

    answer = Predictor.load("runs/first")("scan.png")
    answer.prediction, answer.probabilities, answer.decision, answer.reasons

Research use only; not a medical device.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from brain_tumor.errors import BundleError, require
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.evaluation.map_boxes import DEFAULT_THRESHOLD, tumour_box
from brain_tumor.evaluation.ood.detector import EnsembleDetector, OODDetector, read_detector
from brain_tumor.serving.answer import DEFAULT_POINT, Answer, verdict
from brain_tumor.serving.bundle import Bundle, read_bundle
from brain_tumor.serving.engines import AUTO, Engine, Outputs, open_engine
from brain_tumor.serving.images import ImageLike, Prepared, prefetch, prepare_image
from brain_tumor.serving.inference import BATCH_SIZE, infer
from brain_tumor.types import Floats, GreyImage, Rows


class Assessment(NamedTuple):
    """Calibrated probabilities and OOD scores of N images."""

    probabilities: Floats
    """float64 [N, C], in the order of the bundle's classes."""
    ood_score: Floats | None
    """float64 [N], above 0 is rejected; None for a model without an OOD detector."""
    maps: npt.NDArray[np.float32] | None
    """Logits of the cells of the maps, float32 [N, h, w]; None for a model without a localizer."""

    def in_order(self, rows: Rows) -> "Assessment":
        """Return the images of these rows, int64 [M], in their order."""
        ood_score, maps = self.ood_score, self.maps
        return Assessment(
            self.probabilities[rows],
            None if ood_score is None else ood_score[rows],
            None if maps is None else maps[rows],
        )


class Predictor:
    """Predictions for images of any kind that training reads, preprocessed by the code that training uses.

    Methods that take grey images expect them as uint8 [S, S] of the bundle's image size; they hold one batch at a time.

    Args:
        bundle: Bundle of the model.
        engine: Engine that runs its network.
        point: Operating point of the decision.

    Raises:
        ConfigError: The model has operating points, and not this one.
    """

    def __init__(self, bundle: Bundle, engine: Engine, point: str = DEFAULT_POINT) -> None:
        points = bundle.operating_points
        require(not points or point in points, f"point={point}", " or ".join(points))
        self.bundle, self.point = bundle, point
        self._engine, self._detector = engine, open_detector(bundle)

    @classmethod
    def load(
        cls,
        model: str | Path,
        engine: str = AUTO,
        precision: str = "fp32",
        threads: int | None = None,
        plugins: Sequence[str] = (),
        point: str = DEFAULT_POINT,
        verify: str | Path | None = None,
    ) -> Self:
        """Load a model.

        Args:
            model: Path of a bundle, or of the run directory that it is in; or ``hf:USER/NAME`` on the Hugging Face hub.
            engine: ``torch``; ``onnxruntime`` or ``openvino`` after ``brain-tumor export``; ``auto`` takes the first
                exported one that is installed, else torch.
            precision: ``fp32``, or ``bf16`` or ``int8`` after ``brain-tumor export``.
            threads: Number of threads per call; None takes one for each physical core that this process may use. (With
                torch they are set for the whole process, and None leaves them unchanged.)
            plugins: Packages that a user's own network may come from, such as ``["mylab"]``: their code is run.
                Exported models need none.
            point: Operating point of the decision: ``sensitive``, ``balanced`` or ``specific``.
            verify: File of a public key: the bundle must be signed by its owner.

        Raises:
            BrainTumorError: The bundle does not exist or is damaged, or the engine cannot run it.
        """
        bundle = read_bundle(model, plugins, verify)
        return cls(bundle, open_engine(bundle, engine, precision, threads), point)

    def __call__(self, image: ImageLike) -> Answer:
        """Predict one image: a path, the bytes of a file, an array uint8 [H, W] or [H, W, 3 or 4], or a PIL image.

        Raises:
            DataError: The image cannot be read, or is not an image.
        """
        return self._answers([prepare_image(image, self.bundle.image_size)])[0]

    @property
    def map_threshold(self) -> float:
        """Probability in the map from which a pixel is marked, chosen on validation."""
        threshold = self.bundle.map_threshold
        return DEFAULT_THRESHOLD if threshold is None else threshold

    def batch(self, images: Iterable[ImageLike], batch_size: int = BATCH_SIZE) -> list[Answer]:
        """Predict many images, ``batch_size`` at a time; the next are read while these are computed.

        Answers of files have their paths as names.

        Raises:
            DataError: One of them cannot be read, or is not an image.
        """
        names: list[str] = []

        def named() -> Iterator[ImageLike]:
            for image in images:
                names.append(str(image) if isinstance(image, str | Path) else "")
                yield image

        prepared = prefetch(partial(prepare_image, size=self.bundle.image_size), named(), 2 * batch_size)
        answers = self._answers(prepared, batch_size)
        return [replace(answer, name=name) for answer, name in zip(answers, names, strict=True)]

    def logits(self, images: Iterable[GreyImage], batch_size: int = BATCH_SIZE) -> npt.NDArray[np.float32]:
        """Compute logits float32 [N, C] of grey images."""
        return self.logits_and_maps(images, batch_size)[0]

    def logits_and_maps(
        self, images: Iterable[GreyImage], batch_size: int = BATCH_SIZE
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Compute logits float32 [N, C] and, of a model with a localizer, maps (logits float32 [N, h, w]) of images."""
        logits, maps = [self._no_logits], []
        for outputs in infer(self._engine, images, batch_size):
            logits.append(outputs.logits)
            if outputs.map is not None:
                maps.append(outputs.map)
        return np.concatenate(logits), np.concatenate(maps) if maps else None

    def probabilities(self, images: Iterable[GreyImage], batch_size: int = BATCH_SIZE) -> Floats:
        """Compute calibrated probabilities float64 [N, C] of grey images."""
        return softmax(self.logits(images, batch_size), self.bundle.temperature)

    def assess(self, images: Iterable[GreyImage], batch_size: int = BATCH_SIZE) -> Assessment:
        """Compute calibrated probabilities, OOD scores and maps of grey images.

        Raises:
            BundleError: The OOD detector was fitted on another network.
        """
        logits, scores, maps = [self._no_logits], [np.empty(0)], []
        for outputs in infer(self._engine, images, batch_size):
            logits.append(outputs.logits)
            if outputs.map is not None:
                maps.append(outputs.map)
            if self._detector is not None:  # features are reduced batch by batch: those of all images would fill memory
                features = features_for(self._detector, outputs, self.bundle)
                scores.append(self._detector.ood_score(features, outputs.logits))
        probabilities = softmax(np.concatenate(logits), self.bundle.temperature)
        return Assessment(
            probabilities,
            None if self._detector is None else np.concatenate(scores),
            np.concatenate(maps) if maps else None,
        )

    @property
    def _no_logits(self) -> npt.NDArray[np.float32]:
        return np.empty((0, len(self.bundle.classes)), np.float32)

    def _answers(self, images: Iterable[Prepared], batch_size: int = BATCH_SIZE) -> list[Answer]:
        shapes: list[tuple[int, int]] = []

        def grey() -> Iterator[GreyImage]:
            for prepared in images:
                shapes.append(prepared.shape)
                yield prepared.image

        found = self.assess(grey(), batch_size)
        return [self.answer(found, row, shape) for row, shape in enumerate(shapes)]

    def answer(self, found: Assessment, row: int, shape: tuple[int, int], name: str = "", series: str = "") -> Answer:
        """Make the answer for one of the images that `assess` computed.

        Args:
            found: Result of `assess`.
            row: Number of the image in it.
            shape: Height and width of the image that was given, pixels.
            name: Name of the image.
            series: Name of the volume that it is a slice of.
        """
        ood_score = None if found.ood_score is None else float(found.ood_score[row])
        rejected = None if ood_score is None else ood_score > 0
        cells, size = None if found.maps is None else found.maps[row], self.bundle.image_size
        return Answer(
            **verdict(self.bundle, found.probabilities[row], rejected=bool(rejected), point=self.point),
            name=name,
            series=series,
            rejected=rejected,
            ood_score=ood_score,
            map=cells,
            box=None if cells is None else tumour_box(cells, size, self.map_threshold, shape),
            image_size=size,
            shape=shape,
        )


def open_detector(bundle: Bundle) -> OODDetector | EnsembleDetector | None:
    """Load the OOD detector of a bundle; None if it has none.

    Raises:
        BundleError: The detector is damaged.
    """
    if bundle.ood_detector is None:
        return None
    try:
        return read_detector(bundle.read(bundle.ood_detector.file))
    except ValueError as error:
        raise BundleError(
            f"{bundle.folder / bundle.ood_detector.file} holds no detector ({error}); copy the whole bundle again."
        ) from error


def features_for(detector: OODDetector | EnsembleDetector, outputs: Outputs, bundle: Bundle) -> npt.NDArray[np.float32]:
    """Return the features [B, D] that an OOD detector needs.

    Raises:
        BundleError: The detector was fitted on another network than the one that the engine runs.
    """
    expected = detector.width
    if outputs.features is None or outputs.features.shape[1] != expected:
        width = "no" if outputs.features is None else outputs.features.shape[1]
        raise BundleError(
            f"The detector of {bundle.folder} needs {expected} features and the engine yields {width}; "
            "export the model again, or train it again."
        )
    return outputs.features
