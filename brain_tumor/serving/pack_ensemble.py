"""Packing of several runs into one bundle: their networks side by side, and their detectors together."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from brain_tumor import __version__
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.evidence import decision_rules_in
from brain_tumor.evaluation.ood.detector import EnsembleDetector, OODDetector, read_detector
from brain_tumor.serving.architectures import ENSEMBLE
from brain_tumor.serving.bundle import (
    OOD_DETECTOR,
    TRAINING_DIGESTS,
    WEIGHTS,
    Bundle,
)
from brain_tumor.serving.bundle_parts import LocalizerInfo, OODDetectorInfo
from brain_tumor.serving.packing import conformal_of, observed_accuracy_of

_SHARED = {"classes": "classes", "image_size": "data.image_size"}
"""Attribute that all members must share → key of the configuration that sets it."""


def require_joinable(members: Sequence[Bundle], *, alone: bool = False) -> None:
    """Check that bundles can be joined.

    Args:
        members: Bundles.
        alone: Whether one is enough.

    Raises:
        ConfigError: There are fewer than two, one is itself an ensemble, or their classes or image sizes differ.
    """
    if len(members) < 2 - alone:
        raise ConfigError(f"ensemble names {len(members)} runs; expected two or more: ensemble=[RUN,RUN].")
    first = members[0]
    for member in members:
        if member.architecture == ENSEMBLE:
            raise ConfigError(f"{member.folder} is an ensemble itself; name the runs that it was made of.")
        for name, key in _SHARED.items():
            ours, theirs = getattr(first, name), getattr(member, name)
            if ours != theirs:
                raise ConfigError(
                    f"{first.folder} has {key}={ours} and {member.folder} {key}={theirs}; the members of an ensemble "
                    "need the same."
                )


def ensemble_contents(members: Sequence[Bundle]) -> dict[str, bytes]:
    """Return the files of the bundle of an ensemble, but for those that describe it: name → content.

    Args:
        members: Bundles that `require_joinable` accepts.
    """
    weights = {
        f"members.{number}.{name}": tensor
        for number, member in enumerate(members)
        for name, tensor in load(member.read(WEIGHTS)).items()
    }
    digests = sorted(set().union(*(member.training_digests for member in members)))
    contents = {
        WEIGHTS: save(weights, metadata={"format": "pt"}),
        TRAINING_DIGESTS: "".join(f"{digest}\n" for digest in digests).encode(),
    }
    detectors = [read_detector(member.read(OOD_DETECTOR)) for member in members if member.ood_detector]
    if len(detectors) == len(members):
        single = tuple(each for each in detectors if isinstance(each, OODDetector))
        contents[OOD_DETECTOR] = EnsembleDetector(single, len(members[0].classes)).to_bytes()
    return contents


def ensemble_bundle(
    members: Sequence[Bundle],
    folder: Path,
    contents: dict[str, bytes],
    results: dict[str, Any],
    data_digest: str,
    *,
    mirrored: bool,
) -> Bundle:
    """Describe the bundle of an ensemble.

    Args:
        members: Bundles that `require_joinable` accepts.
        folder: Folder of the bundle.
        contents: As `ensemble_contents` returns them.
        results: Content of the ``results.json`` of the ensemble, with its own temperature and thresholds.
        data_digest: Digest of the data that the ensemble was evaluated on.
        mirrored: Whether each member sees images mirrored, too.
    """
    rules, first = decision_rules_in(results), members[0]
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    detector = read_detector(contents[OOD_DETECTOR]) if OOD_DETECTOR in contents else None
    return Bundle(
        folder=folder,
        version=f"{__version__}+{files[WEIGHTS][:8]}",
        architecture=ENSEMBLE,
        arguments={"members": [_description(member) for member in members], "mirrored": mirrored},
        classes=first.classes,
        healthy_class=first.healthy_class,
        image_size=first.image_size,
        mean=(0.0,),
        std=(1.0,),
        temperature=rules.temperature,
        operating_points=rules.operating_points,
        targets=dict(rules.targets),
        abstain_below=rules.abstain_below,
        conformal=conformal_of(results),
        observed_accuracy=observed_accuracy_of(results),
        volume_rule=first.volume_rule,
        data_digest=data_digest,
        files=files,
        ood_detector=OODDetectorInfo(OOD_DETECTOR, detector.reject_share, detector.images) if detector else None,
        localizer=_localizer(members, results),
    )


def _description(member: Bundle) -> dict[str, Any]:
    localizer = asdict(member.localizer) if member.localizer else None
    return {
        "name": member.architecture,
        "arguments": member.arguments,
        "localizer": localizer,
        "mean": list(member.mean),
        "std": list(member.std),
        "temperature": member.temperature,
    }


def _localizer(members: Sequence[Bundle], results: dict[str, Any]) -> LocalizerInfo | None:
    """Describe the joined map, with the threshold of the ensemble; None unless all members have a map."""
    located = all(member.has_map for member in members)
    return LocalizerInfo(ENSEMBLE, {}, results.get("localization", {}).get("threshold")) if located else None
