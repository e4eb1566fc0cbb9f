"""The bundle: a folder with everything that one model needs for inference.

- ``config.json``: under the key ``brain_tumor`` architecture, classes, healthy class, preprocessing, temperature,
  operating points, abstention, conformal sets, data digest, version, OOD detector, localizer, exports with their
  checks, and the SHA-256 of each file; for a timm network also what timm reads (`brain_tumor.serving.timm_layout`);
- ``model.safetensors``: weights;
- ``ood_detector.safetensors``: OOD detector, if validation had enough scans to fit one;
- ``seen.txt``: SHA-256 of the files of train and val;
- ``README.md``: model card;
- ``model.onnx``, ``model-int8.onnx``: exports, if there are any.

Reading a bundle runs no code from it and does not import torch. A bundle of a user's own network tells its package, and
whoever loads it must name that package, too; an exported model needs no such code.
"""

import hashlib
import importlib.util
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from brain_tumor.errors import BundleError
from brain_tumor.evaluation.volumes import DEFAULT_RULE, RULES
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle_parts import (
    AccuracyRange,
    ConformalInfo,
    Export,
    LocalizerInfo,
    OODDetectorInfo,
    read_accuracy,
    read_conformal,
    read_exports,
    read_localizer,
    read_ood_detector,
)
from brain_tumor.serving.json_fields import Fields
from brain_tumor.serving.timm_layout import timm_layout

log = logging.getLogger(__name__)

FORMAT, FORMAT_VERSION = "brain-tumor-bundle", 2
OURS = "brain_tumor"
"""Key of ``config.json`` with everything that is ours; format 1 had it at the root."""
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
TRAINING_DIGESTS = "seen.txt"
OOD_DETECTOR = "ood_detector.safetensors"
SIGNATURE = "model.sig"
"""Signature of all other files, see `brain_tumor.serving.signature`; it ends with each change of the bundle."""
_FORMAT_1_OOD_KEYS = {"turned_away": "reject_share"}
"""Keys of the OOD detector in bundles of format 1, where its own key was ``gate`` → key."""


@dataclass(frozen=True)
class Bundle:
    """The content of ``config.json``; other files are read and verified on demand."""

    folder: Path
    version: str
    """Model version: version of the package that trained it, and the first digits of the weights' SHA-256."""
    architecture: str
    """Key of `brain_tumor.serving.architectures.ARCHITECTURES`, or dotted path of a user's network."""
    arguments: dict[str, Any]
    """Keyword arguments of the architecture."""
    classes: tuple[str, ...]
    """Class names, in the order of the logits."""
    healthy_class: str | None
    """The class without a tumour, if there is one: detection score = 1 − p(healthy class)."""
    image_size: int
    """Height and width of the input images in pixels."""
    mean: tuple[float, ...]
    """Mean per channel, of images scaled to [0, 1]."""
    std: tuple[float, ...]
    """Standard deviation per channel, of images scaled to [0, 1]."""
    temperature: float
    """Divisor of the logits (temperature scaling), above 0."""
    operating_points: dict[str, float]
    """Name → smallest detection score that counts as a tumour, chosen on validation; may be empty."""
    targets: dict[str, str]
    """Name of an operating point → what it was chosen for; empty for bundles of version 0.1."""
    abstain_below: float | None
    """Probability of the predicted class below which the model abstains, chosen on validation; None: never."""
    conformal: ConformalInfo | None
    """Conformal sets, chosen on validation; None: there are none, as in bundles of format 1."""
    observed_accuracy: tuple[AccuracyRange, ...]
    """How often predictions were right in validation, by ascending probability; empty: not stored, as in format 1."""
    volume_rule: str
    """How slices are joined to a prediction of their volume: one of `brain_tumor.evaluation.volumes.RULES`."""
    data_digest: str
    """Digest of the data that the model was trained and evaluated on."""
    files: dict[str, str]
    """File name → SHA-256."""
    exports: dict[str, dict[str, Export]] = field(default_factory=dict)
    """Engine → precision → export."""
    ood_detector: OODDetectorInfo | None = None
    """None: the model has no OOD detector and rejects no image."""
    localizer: LocalizerInfo | None = None
    """None: the model draws no map."""
    plugins: tuple[str, ...] = ()
    """Packages that a user's network may come from. Not stored: whoever loads the bundle names those they trust."""

    @property
    def has_map(self) -> bool:
        """Whether the model says where it sees a tumour."""
        return self.map_threshold is not None

    @property
    def map_threshold(self) -> float | None:
        """Probability in the map from which a pixel is marked as tumour; None for a model without a trained map."""
        return None if self.localizer is None else self.localizer.threshold

    @property
    def training_digests(self) -> frozenset[str]:
        """SHA-256 of the files of train and val; empty if the bundle does not list them.

        Raises:
            BundleError: The list is missing or damaged.
        """
        if TRAINING_DIGESTS not in self.files:
            return frozenset()
        return frozenset(self.read(TRAINING_DIGESTS).decode().split())

    def read(self, name: str) -> bytes:
        """Read a file of the bundle and verify its SHA-256.

        Raises:
            BundleError: The file is missing, or its SHA-256 is not the one in ``config.json``.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise BundleError(
                f"The bundle {self.folder} lacks {name} ({error.strerror}); copy the whole folder again."
            ) from error
        if name not in self.files or hashlib.sha256(content).hexdigest() != self.files[name]:
            raise BundleError(
                f"{self.folder / name} is damaged or was replaced: its SHA-256 is not the one in {CONFIG}; "
                "copy the whole bundle again."
            )
        return content


def find_bundle(path: str | Path) -> Path:
    """Return the folder of a bundle, given that folder or the run directory that contains it.

    Args:
        path: Path, or the name of a bundle on the Hugging Face hub: ``hf:USER/NAME``, ``hf:USER/NAME@REVISION``.

    Raises:
        BundleError: There is no bundle at this path.
    """
    if isinstance(path, str) and path.startswith("hf:"):
        if importlib.util.find_spec("huggingface_hub") is None:
            raise BundleError(f"{path} needs huggingface_hub; install it: pip install huggingface_hub.")
        from brain_tumor.serving.hub import download  # only then

        return download(path)
    parent = Path(path).expanduser()
    for folder in (parent, parent / "bundle"):
        if (folder / CONFIG).is_file():
            return folder
    problem = "holds no bundle" if parent.is_dir() else "holds no bundle (there is no such folder)"
    raise BundleError(
        f"{path} {problem}; give a run directory of brain-tumor train, or a bundle: a folder with {CONFIG} and "
        f"{WEIGHTS}."
    )


def read_bundle(path: str | Path, plugins: Sequence[str] = (), verify: str | Path | None = None) -> Bundle:
    """Read and check ``config.json`` of a bundle, or of the bundle in a run directory.

    Args:
        path: Folder of the bundle, or run directory, or ``hf:USER/NAME``.
        plugins: Packages that a user's network may come from.
        verify: File of a public key: the bundle must be signed by its owner, see `brain_tumor.serving.signature`.

    Raises:
        BundleError: There is no bundle, or it is damaged, of another program, of a newer format, or not signed.
    """
    folder = find_bundle(path)
    if verify is not None:
        from brain_tumor.serving.signature import verify as verify_signature  # only then

        verify_signature(folder, verify)
    config = folder / CONFIG
    try:
        document = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{config} cannot be read as JSON; copy the whole bundle again.") from error
    ours = document.get(OURS, document) if isinstance(document, dict) else document
    fields = Fields(_upgrade(ours), config)
    if fields.mapping.get("format") != FORMAT:
        raise BundleError(f"{config} was written by another program; expected a bundle of brain-tumor train.")
    version = fields.number("format_version", at_least=1)
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{config} has bundle format {version:g}, and this brain-tumor reads formats up to {FORMAT_VERSION}; "
            "install a newer version."
        )
    return replace(_bundle(folder, fields), plugins=tuple(plugins))


def _upgrade(document: Any) -> Any:
    """Rename the keys of a document of format 1 to those of format 2."""
    if not isinstance(document, dict) or document.get("format_version") != 1:
        return document
    detector = document.get("gate")
    if not isinstance(detector, dict):
        return document
    return {**document, "ood_detector": {_FORMAT_1_OOD_KEYS.get(key, key): value for key, value in detector.items()}}


def _bundle(folder: Path, fields: Fields) -> Bundle:
    classes = fields.texts("classes", at_least=2)
    architecture, preprocessing = fields.inner("architecture"), fields.inner("preprocessing")
    mean, std = preprocessing.numbers("mean"), preprocessing.numbers("std", above=0)
    healthy = fields.text("healthy_class") if fields.has("healthy_class") else None
    fields.require(healthy is None or healthy in classes, "healthy_class", "one of the classes")
    preprocessing.require(len(mean) == len(std) > 0, "mean", "as long as std, one per channel")
    rule = fields.text("volume_rule") if fields.has("volume_rule") else DEFAULT_RULE
    fields.require(rule in RULES, "volume_rule", "one of " + ", ".join(RULES))
    files, exports, points = fields.inner("files"), fields.inner("exports"), fields.inner("operating_points")
    targets = (
        fields.inner("operating_point_targets")
        if fields.has("operating_point_targets")
        else Fields({}, folder / CONFIG)
    )
    return Bundle(
        folder=folder,
        version=fields.text("version"),
        architecture=architecture.text("name"),
        arguments=architecture.inner("arguments").mapping,
        classes=classes,
        healthy_class=healthy,
        image_size=int(preprocessing.number("image_size", at_least=1)),
        mean=mean,
        std=std,
        temperature=fields.number("temperature", above=0),
        operating_points={name: points.number(name) for name in points.mapping},
        targets={name: targets.text(name) for name in targets.mapping},
        abstain_below=fields.number("abstain_below") if fields.has("abstain_below") else None,
        conformal=read_conformal(fields.inner("conformal"), classes) if fields.has("conformal") else None,
        observed_accuracy=read_accuracy(fields.inners("observed_accuracy")),
        volume_rule=rule,
        data_digest=fields.inner("data").text("digest"),
        files={name: files.text(name) for name in files.mapping},
        exports={engine: read_exports(exports.inner(engine), files) for engine in exports.mapping},
        ood_detector=read_ood_detector(fields.inner("ood_detector"), files) if fields.has("ood_detector") else None,
        localizer=read_localizer(fields.inner("localizer")) if fields.has("localizer") else None,
    )


def write_config(bundle: Bundle, folder: Path | None = None) -> None:
    """Write ``config.json`` atomically.

    Args:
        bundle: Bundle to describe.
        folder: Folder to write to; None writes to the bundle's own folder.
    """
    ours = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": bundle.version,
        "architecture": {"name": bundle.architecture, "arguments": bundle.arguments},
        "classes": bundle.classes,
        "healthy_class": bundle.healthy_class,
        "preprocessing": {"image_size": bundle.image_size, "mean": bundle.mean, "std": bundle.std},
        "temperature": bundle.temperature,
        "operating_points": bundle.operating_points,
        "operating_point_targets": bundle.targets,
        "abstain_below": bundle.abstain_below,
        "conformal": asdict(bundle.conformal) if bundle.conformal else None,
        "observed_accuracy": [asdict(each) for each in bundle.observed_accuracy],
        "volume_rule": bundle.volume_rule,
        "data": {"digest": bundle.data_digest},
        "ood_detector": asdict(bundle.ood_detector) if bundle.ood_detector else None,
        "localizer": asdict(bundle.localizer) if bundle.localizer else None,
        "files": bundle.files,
        "exports": {
            engine: {precision: asdict(export) for precision, export in exports.items()}
            for engine, exports in bundle.exports.items()
        },
    }
    is_plain_timm = bundle.architecture == "timm" and bundle.localizer is None
    layout = (bundle.arguments, bundle.classes, bundle.image_size, bundle.mean, bundle.std)
    document = (timm_layout(*layout) if is_plain_timm else {}) | {OURS: ours}
    place = folder or bundle.folder
    if (place / SIGNATURE).is_file():
        (place / SIGNATURE).unlink()
        log.warning("%s was signed and has changed: sign it again (brain-tumor export engine=none sign=KEY).", place)
    with published_file(place / CONFIG) as draft:
        draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
