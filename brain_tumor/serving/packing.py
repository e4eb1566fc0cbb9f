"""From a run directory to the bundle in it: the best weights, everything needed to use them, and the model card."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.samples import read_table
from brain_tumor.errors import BundleError
from brain_tumor.evaluation.evidence import chosen_in
from brain_tumor.evaluation.ood.detector import OODDetector
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES
from brain_tumor.evaluation.report.page import render
from brain_tumor.serving.architectures import architecture_of
from brain_tumor.serving.bundle import CARD, OOD_DETECTOR, SEEN, WEIGHTS, Bundle, OODFacts, read_bundle, write_config

_NETWORK = "network."
"""Prefix of the network's weights in a checkpoint."""


def bundle_of(place: str | Path) -> Bundle:
    """The bundle at a place, or in a run directory; a run that has none yet is packed.

    Raises:
        BundleError: There is neither, or it is damaged.
    """
    run_dir = Path(place).expanduser()
    unpacked = (run_dir / "checkpoints" / "best.ckpt").is_file() and not (run_dir / "bundle").exists()
    return pack(run_dir) if unpacked else read_bundle(place)


def pack(run_dir: Path) -> Bundle:
    """Write ``RUN/bundle`` from ``checkpoints/best.ckpt``, ``run.json`` and ``results.json``; an older one is replaced.

    The detector joins them, in ``ood_detector.safetensors``, if the run had scans enough to fit one.

    Raises:
        BundleError: The run is not that far, or its network is none that a bundle can hold.
    """
    try:
        checkpoint = torch.load(run_dir / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=True)
        facts, results = (json.loads((run_dir / name).read_text("utf-8")) for name in ("run.json", "results.json"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{run_dir} cannot become a bundle: {Path(error.filename).name} is missing; a bundle is made of a "
            "finished run (brain-tumor train resume=RUN)."
        ) from error
    contents = {WEIGHTS: save(_weights(checkpoint["state_dict"]), metadata={"format": "pt"}), SEEN: _seen(run_dir)}
    for name in (OOD_DETECTOR, "gate.safetensors"):  # the second: runs of version 0.1
        if OOD_DETECTOR not in contents and (run_dir / name).is_file():
            contents[OOD_DETECTOR] = (run_dir / name).read_bytes()
    bundle = _bundle(run_dir / "bundle", checkpoint["hyper_parameters"], facts, results, contents)
    draft = run_dir / f".bundle.{os.getpid()}"
    draft.mkdir()
    try:
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        (draft / CARD).write_text(model_card(bundle, facts, results), encoding="utf-8")
        write_config(bundle, draft)
        shutil.rmtree(bundle.folder, ignore_errors=True)
        draft.rename(bundle.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return bundle


def _weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The network's own, each in a plain block of memory."""
    return {
        name.removeprefix(_NETWORK): tensor.contiguous() for name, tensor in state.items() if name.startswith(_NETWORK)
    }


def _seen(run_dir: Path) -> bytes:
    samples = read_table(run_dir / "samples.csv")
    digests = sorted(set(samples["sha256"][samples["split"].isin(["train", "val"])]))
    return "".join(f"{digest}\n" for digest in digests).encode()


def _bundle(
    folder: Path, recipe: dict[str, Any], facts: dict[str, Any], results: dict[str, Any], contents: dict[str, bytes]
) -> Bundle:
    architecture, chosen = architecture_of(recipe["model"]), chosen_in(results)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Bundle(
        folder=folder,
        version=f"{facts['versions']['brain-tumor']}+{digests[WEIGHTS][:8]}",
        architecture=architecture["name"],
        arguments=architecture["arguments"],
        classes=tuple(recipe["classes"]),
        healthy_class=HEALTHY if HEALTHY in recipe["classes"] else None,
        image_size=recipe["image_size"],
        mean=tuple(recipe["mean"]),
        std=tuple(recipe["std"]),
        temperature=chosen.temperature,
        operating_points=chosen.operating_points,
        abstain_below=chosen.abstain_below,
        data_digest=facts["data"]["digest"],
        files=digests,
        ood_detector=_ood_facts(contents[OOD_DETECTOR]) if OOD_DETECTOR in contents else None,
    )


def _ood_facts(content: bytes) -> OODFacts:
    detector = OODDetector.from_bytes(content)
    return OODFacts(OOD_DETECTOR, detector.reject_share, detector.images)


_INDEXED = (
    ("f1", "f1_macro", "macro-F1"),
    ("accuracy", "accuracy", "accuracy"),
    ("roc_auc", "auroc", "macro-AUROC"),
)
"""Type that the Hugging Face hub knows, metric here, name."""


def model_card(bundle: Bundle, facts: dict[str, Any], results: dict[str, Any]) -> str:
    """Markdown with the front matter of the Hugging Face hub.

    Args:
        bundle: The model.
        facts: The content of the run's ``run.json``; paths of the machine are left out.
        results: The content of its ``results.json``.
    """
    data = facts["data"] | {"name": Path(facts["data"]["name"]).name or "data"}
    return render(
        "card.md.j2",
        title=f"{facts['model']['name']} on {data['name']}",
        bundle=bundle,
        classes=bundle.classes,
        healthy=bundle.healthy_class,
        model=facts["model"],
        pretrained=facts["model"]["weights"] != "none",
        data=data,
        leaks=_leaks(data["leakage"]),
        notes=facts.get("notes", []),
        results=results,
        headlines=[name for name in (*HEADLINES, *DETECTION) if name in results["test"]],
        indexed=_INDEXED,
    )


def _leaks(counts: dict[str, int]) -> str:
    """``3 images of test_in_train``, …; empty where nothing leaks."""
    return ", ".join(f"{count} images {name.replace('_', ' ')}" for name, count in counts.items() if count)
