"""Packing of a finished run into a bundle: the best weights, the settings for inference, and the model card."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.samples import read_table
from brain_tumor.errors import BundleError
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.evaluation.evidence import decision_rules_in
from brain_tumor.evaluation.ood.detector import OODDetector
from brain_tumor.evaluation.ood.outliers import FITTED_KINDS
from brain_tumor.evaluation.predictions import read_predictions
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION
from brain_tumor.evaluation.report.page import render
from brain_tumor.evaluation.volumes import DEFAULT_RULE, VOLUME_RULES, choose_rule
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import read_results
from brain_tumor.serving.architectures import architecture_of, localizer_of, package_of
from brain_tumor.serving.bundle import (
    CARD,
    OOD_DETECTOR,
    TRAINING_DIGESTS,
    WEIGHTS,
    Bundle,
    read_bundle,
    write_config,
)
from brain_tumor.serving.bundle_parts import AccuracyRange, ConformalInfo, LocalizerInfo, OODDetectorInfo

_NETWORK = "network."
"""Prefix of the network's weights in a checkpoint."""
_OOD_DETECTOR_0_1 = "gate.safetensors"
"""File name of the OOD detector in runs of version 0.1."""
_HUB_METRICS = (
    ("f1", "f1_macro", "macro-F1"),
    ("accuracy", "accuracy", "accuracy"),
    ("roc_auc", "auroc", "macro-AUROC"),
)
"""Metric type on the Hugging Face hub, metric in ``results.json``, displayed name."""


def bundle_of(path: str | Path, plugins: Sequence[str] = ()) -> Bundle:
    """Read the bundle at a path or in a run directory; a finished run without a bundle is packed first.

    Args:
        path: Folder of a bundle, or run directory.
        plugins: Packages that a user's network may come from.

    Raises:
        BundleError: There is neither a bundle nor a finished run, or the bundle is damaged.
    """
    run_dir = Path(path).expanduser()
    unpacked = (run_dir / "checkpoints" / "best.ckpt").is_file() and not (run_dir / "bundle").exists()
    if unpacked:
        pack(run_dir)
    return read_bundle(path, plugins)


def pack(run_dir: Path) -> Bundle:
    """Write ``RUN/bundle`` from the run's best checkpoint, results and OOD detector, replacing an older bundle.

    Raises:
        BundleError: The run is not finished.
    """
    try:
        checkpoint = torch.load(run_dir / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=True)
        record, results = read_json(run_dir / "run.json"), read_results(run_dir)
    except FileNotFoundError as error:
        raise BundleError(
            f"{run_dir} cannot be packed into a bundle: {Path(error.filename).name} is missing; finish the run first "
            "(brain-tumor train resume=RUN)."
        ) from error
    contents = {
        WEIGHTS: save(_weights(checkpoint["state_dict"]), metadata={"format": "pt"}),
        TRAINING_DIGESTS: _training_digests(run_dir),
    }
    for name in (_OOD_DETECTOR_0_1, OOD_DETECTOR):
        if (run_dir / name).is_file():
            contents[OOD_DETECTOR] = (run_dir / name).read_bytes()
    bundle = _bundle(run_dir, checkpoint["hyper_parameters"], record, results, contents)
    write_bundle(bundle, contents, model_card(bundle, record, results))
    return bundle


def write_bundle(bundle: Bundle, contents: dict[str, bytes], card: str) -> None:
    """Write the folder of a bundle in one step, replacing an older one.

    Args:
        bundle: Bundle to write.
        contents: Its files but for ``config.json`` and the card, name → content.
        card: Model card.
    """
    draft = bundle.folder.parent / f".bundle.{os.getpid()}"
    draft.mkdir()
    try:
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        (draft / CARD).write_text(card, encoding="utf-8")
        write_config(bundle, draft)
        shutil.rmtree(bundle.folder, ignore_errors=True)
        draft.rename(bundle.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Select the network's tensors; safetensors stores contiguous ones only."""
    return {
        name.removeprefix(_NETWORK): tensor.contiguous() for name, tensor in state.items() if name.startswith(_NETWORK)
    }


def _training_digests(run_dir: Path) -> bytes:
    samples = read_table(run_dir / "samples.csv")
    digests = sorted(set(samples["sha256"][samples["split"].isin(["train", "val"])]))
    return "".join(f"{digest}\n" for digest in digests).encode()


def _bundle(
    run_dir: Path, recipe: dict[str, Any], record: dict[str, Any], results: dict[str, Any], contents: dict[str, bytes]
) -> Bundle:
    architecture, rules = architecture_of(recipe["model"]), decision_rules_in(results)
    localizer = localizer_of(recipe.get("localizer"))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Bundle(
        folder=run_dir / "bundle",
        version=f"{record['versions']['brain-tumor']}+{digests[WEIGHTS][:8]}",
        architecture=architecture["name"],
        arguments=architecture["arguments"],
        classes=tuple(recipe["classes"]),
        healthy_class=HEALTHY if HEALTHY in recipe["classes"] else None,
        image_size=recipe["image_size"],
        mean=tuple(recipe["mean"]),
        std=tuple(recipe["std"]),
        temperature=rules.temperature,
        operating_points=rules.operating_points,
        targets=dict(rules.targets),
        abstain_below=rules.abstain_below,
        conformal=conformal_of(results),
        observed_accuracy=observed_accuracy_of(results),
        volume_rule=_volume_rule(run_dir, rules.temperature),
        data_digest=record["data"]["digest"],
        files=digests,
        ood_detector=_ood_detector(contents[OOD_DETECTOR], results) if OOD_DETECTOR in contents else None,
        localizer=LocalizerInfo(**localizer, threshold=results.get("localization", {}).get("threshold"))
        if localizer
        else None,
    )


def conformal_of(results: dict[str, Any]) -> ConformalInfo | None:
    """Read the conformal sets of a ``results.json``, those that cover each class; None if it has none."""
    sets = results.get("conformal")
    return ConformalInfo(sets["target"], sets["by_class"]["limits"]) if sets else None


def observed_accuracy_of(results: dict[str, Any]) -> tuple[AccuracyRange, ...]:
    """Read how often predictions were right in validation from a ``results.json``; empty if it does not say."""
    return tuple(AccuracyRange(**each) for each in results.get("observed_accuracy", []))


def _volume_rule(run_dir: Path, temperature: float) -> str:
    """Choose the rule for volumes on validation, where its predictions are there."""
    table = run_dir / "predictions" / "val.csv"
    if not table.is_file():
        return DEFAULT_RULE
    predictions = read_predictions(table)
    calibrated = predictions.with_probabilities(softmax(predictions.logits, temperature))
    return choose_rule(calibrated)[0]


def _ood_detector(content: bytes, results: dict[str, Any]) -> OODDetectorInfo:
    detector, measured = OODDetector.from_bytes(content), results.get("ood_rejection", {})
    return OODDetectorInfo(
        file=OOD_DETECTOR,
        reject_share=detector.reject_share,
        images=detector.images,
        rejected=measured["test"]["value"] if "test" in measured else None,
        missed={name: share["value"] for name, share in measured.get("missed", {}).items()},
    )


def model_card(bundle: Bundle, record: dict[str, Any], results: dict[str, Any]) -> str:
    """Render the model card: Markdown with the front matter of the Hugging Face hub.

    Args:
        bundle: Bundle that the card describes.
        record: Content of the run's ``run.json``; paths of the machine do not appear in the card.
        results: Content of the run's ``results.json``.
    """
    data = record["data"] | {"name": Path(record["data"]["name"]).name or "data"}
    return render(
        "card.md.j2",
        title=f"{record['model']['name']} on {data['name']}",
        bundle=bundle,
        package=package_of(bundle.architecture),
        classes=bundle.classes,
        healthy=bundle.healthy_class,
        model=record["model"],
        pretrained=record["model"]["weights"] != "none",
        **_pretraining(bundle, record["model"]["weights"]),
        is_timm=bundle.architecture == "timm" and bundle.localizer is None,  # such bundles timm loads itself
        data=data,
        leakage=_leakage(data["leakage"]),
        notes=record.get("notes", []),
        results=results,
        headlines=[name for name in (*HEADLINES, *DETECTION, *LOCALIZATION) if name in results["test"]],
        hub_metrics=_HUB_METRICS,
        ood={"missed": {}, **results.get("ood_rejection", {})},
        fitted_kinds=FITTED_KINDS,
        volume_rule=VOLUME_RULES[bundle.volume_rule],
    )


def _pretraining(bundle: Bundle, weights: str) -> dict[str, str]:
    """Name the weights that training began with: ``pretraining`` for readers, ``base_model`` of the hub, if known."""
    if weights == "none":
        return {"pretraining": "random", "base_model": ""}
    if weights != "hub" or bundle.architecture != "timm":  # of a file or a user's own: their origin is not known
        return {"pretraining": "ImageNet weights of a file; their licence is not stated", "base_model": ""}
    import timm  # only then

    name = timm.get_pretrained_cfg(bundle.arguments["name"]).hf_hub_id
    return {"pretraining": f"{name} of the Hugging Face hub; its card states the licence", "base_model": name or ""}


def _leakage(counts: dict[str, int]) -> str:
    """Format counts as ``3 images test in train, …``; empty without leakage."""
    return ", ".join(f"{count} images {name.replace('_', ' ')}" for name, count in counts.items() if count)
