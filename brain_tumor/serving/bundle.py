"""The bundle: a folder with all that one model needs to answer. Reading it runs no code from it and imports no torch.

``config.json`` (architecture, classes, healthy class, preprocessing, temperature, operating points, data digest,
version, the SHA-256 of each file, what the OOD detector was set to, what was exported and checked),
``model.safetensors``, ``ood_detector.safetensors`` where there were enough scans to fit one, ``seen.txt`` (SHA-256 of
the files that it was trained and chosen on), ``README.md`` (model card), and, once exported, ``model.onnx`` and
``model-int8.onnx``.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from brain_tumor.errors import BundleError
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.json_fields import Fields

FORMAT, FORMAT_VERSION = "brain-tumor-bundle", 2
CONFIG, WEIGHTS, CARD, SEEN = "config.json", "model.safetensors", "README.md", "seen.txt"
OOD_DETECTOR = "ood_detector.safetensors"
_FORMAT_1 = {"turned_away": "reject_share"}
"""Keys of the OOD detector in bundles of format 1, where it was called ``gate``."""


@dataclass(frozen=True)
class Export:
    """One engine at one precision, as it was checked."""

    file: str
    """In the bundle."""
    checks: dict[str, Any]
    """What was found, see `brain_tumor.serving.export.compare`."""


@dataclass(frozen=True)
class OODFacts:
    """What there is to know of the OOD detector without opening it."""

    file: str
    """In the bundle: a `brain_tumor.evaluation.ood.detector.OODDetector`."""
    reject_share: float
    """Share of validation scans that it was set to reject, in (0, 1)."""
    images: int
    """Validation scans that it was fitted on."""


@dataclass(frozen=True)
class Bundle:
    """One model, as ``config.json`` tells of it; files are read, and verified, when they are asked for."""

    folder: Path
    version: str
    """Of the model: the package that trained it, and the first digits of its weights' SHA-256."""
    architecture: str
    """One of `brain_tumor.serving.architectures.ARCHITECTURES`."""
    arguments: dict[str, Any]
    """Of the architecture."""
    classes: tuple[str, ...]
    """In the order of the logits."""
    healthy_class: str | None
    """The class without a tumour, if there is one: detection score = 1 − p(healthy class)."""
    image_size: int
    """Side of the square images, pixels."""
    mean: tuple[float, ...]
    """Per channel, of images scaled to [0, 1]."""
    std: tuple[float, ...]
    """Per channel."""
    temperature: float
    """Logits are divided by it."""
    operating_points: dict[str, float]
    """Name → detection score from which on an image is called a tumour, chosen on validation; may be empty."""
    abstain_below: float | None
    """Probability of the top class below which the model abstains, chosen on validation; None: never."""
    data_digest: str
    """Of the data that it was trained and evaluated on."""
    files: dict[str, str]
    """File name → SHA-256."""
    exports: dict[str, dict[str, Export]] = field(default_factory=dict)
    """Engine → precision → what was exported."""
    ood_detector: OODFacts | None = None
    """None: the model answers for any image."""

    @property
    def seen(self) -> frozenset[str]:
        """SHA-256 of the files it was trained and chosen on; empty where that is not known.

        Raises:
            BundleError: As `read`.
        """
        return frozenset(self.read(SEEN).decode().split()) if SEEN in self.files else frozenset()

    def read(self, name: str) -> bytes:
        """The content of a file, verified.

        Raises:
            BundleError: It is missing, or not the file that belongs here.
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


def find_bundle(place: str | Path) -> Path:
    """The bundle's folder, given that or the run directory it lies in.

    Raises:
        BundleError: There is none.
    """
    path = Path(place).expanduser()
    for folder in (path, path / "bundle"):
        if (folder / CONFIG).is_file():
            return folder
    raise BundleError(
        f"{place} holds no bundle" + ("" if path.is_dir() else " (there is no such folder)")
        + "; give a run directory of brain-tumor train, or a bundle: a folder with config.json and model.safetensors."
    )  # fmt: skip


def read_bundle(place: str | Path) -> Bundle:
    """Read ``config.json`` of a bundle, or of the bundle in a run directory.

    Raises:
        BundleError: There is none, or it is damaged, foreign, or of a newer version.
    """
    folder = find_bundle(place)
    path = folder / CONFIG
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as JSON; copy the whole bundle again.") from error
    fields = Fields(_with_new_names(document), path)
    if fields.mapping.get("format") != FORMAT:
        raise BundleError(f"{path} is of another program; expected a bundle written by brain-tumor train.")
    if (version := fields.number("format_version", at_least=1)) > FORMAT_VERSION:
        raise BundleError(
            f"{path} is of bundle format {version:g}, and this brain-tumor reads up to {FORMAT_VERSION}; "
            "install a newer one."
        )
    return _bundle(folder, fields)


def _with_new_names(document: Any) -> Any:
    """A document of format 1 with the keys of format 2."""
    if (
        not isinstance(document, dict)
        or document.get("format_version") != 1
        or not isinstance(document.get("gate"), dict)
    ):
        return document
    facts = {_FORMAT_1.get(key, key): value for key, value in document["gate"].items()}
    return {**document, "ood_detector": facts}


def _bundle(folder: Path, fields: Fields) -> Bundle:
    classes = fields.texts("classes", at_least=2)
    architecture, preprocessing = fields.inner("architecture"), fields.inner("preprocessing")
    mean, std = preprocessing.numbers("mean"), preprocessing.numbers("std", above=0)
    healthy = fields.text("healthy_class") if fields.mapping.get("healthy_class") is not None else None
    fields.require(healthy is None or healthy in classes, "healthy_class", "one of the classes")
    preprocessing.require(len(mean) == len(std) and len(mean) in (1, 3), "mean", "as long as std, 1 or 3")
    files = fields.inner("files")
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
        operating_points=_points(fields),
        abstain_below=fields.number("abstain_below") if fields.mapping.get("abstain_below") is not None else None,
        data_digest=fields.inner("data").text("digest"),
        files={name: files.text(name) for name in files.mapping},
        exports={
            engine: {precision: _export(kind.inner(precision), files) for precision in kind.mapping}
            for engine in fields.inner("exports").mapping
            for kind in [fields.inner("exports").inner(engine)]
        },
        ood_detector=_ood_facts(fields.inner("ood_detector"), files)
        if fields.mapping.get("ood_detector") is not None
        else None,
    )


def _points(fields: Fields) -> dict[str, float]:
    if "operating_points" not in fields.mapping:  # bundles of before
        return {}
    points = fields.inner("operating_points")
    return {name: points.number(name) for name in points.mapping}


def _file(fields: Fields, files: Fields) -> str:
    name = fields.text("file")
    fields.require(name in files.mapping and Path(name).name == name, "file", "the name of a file in the bundle")
    return name


def _ood_facts(fields: Fields, files: Fields) -> OODFacts:
    share = fields.number("reject_share", above=0)
    fields.require(share < 1, "reject_share", "a number below 1")
    return OODFacts(_file(fields, files), share, int(fields.number("images", at_least=1)))


def _export(fields: Fields, files: Fields) -> Export:
    return Export(_file(fields, files), fields.inner("checks").mapping)


def write_config(bundle: Bundle, folder: Path | None = None) -> None:
    """Write ``config.json`` in one step: into the bundle's own folder, or a draft of it."""
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": bundle.version,
        "architecture": {"name": bundle.architecture, "arguments": bundle.arguments},
        "classes": bundle.classes,
        "healthy_class": bundle.healthy_class,
        "preprocessing": {"image_size": bundle.image_size, "mean": bundle.mean, "std": bundle.std},
        "temperature": bundle.temperature,
        "operating_points": bundle.operating_points,
        "abstain_below": bundle.abstain_below,
        "data": {"digest": bundle.data_digest},
        "ood_detector": asdict(bundle.ood_detector) if bundle.ood_detector else None,
        "files": bundle.files,
        "exports": {
            engine: {precision: asdict(export) for precision, export in kinds.items()}
            for engine, kinds in bundle.exports.items()
        },
    }
    with published_file((folder or bundle.folder) / CONFIG) as draft:
        draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
