"""Export a bundle's network for an engine and a precision; only what passes its checks on val joins the bundle."""

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.digests import digests
from brain_tumor.data.progress import progress
from brain_tumor.errors import BundleError, DataError, require
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.ood.fit import rejected_shares
from brain_tumor.evaluation.predictions import Predictions, predictions_frame
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import WEIGHTS, Bundle, write_config
from brain_tumor.serving.bundle_parts import Export
from brain_tumor.serving.card import write_exports_to_card
from brain_tumor.serving.engines import REFERENCE, Engine, Outputs, open_engine, open_model, require_supported
from brain_tumor.serving.files import read_images
from brain_tumor.serving.inference import infer
from brain_tumor.serving.latency import Latency, interleaved, speed_up
from brain_tumor.serving.onnx_graph import onnx_model, quantized
from brain_tumor.serving.predictor import features_for, open_detector
from brain_tumor.types import GreyImage

TOLERANCE = 1e-4
"""Largest difference of a probability between an fp32 export and eager PyTorch."""
MAP_TOLERANCE = 1e-3
"""Largest difference of the probability of a cell of the map between an fp32 export and eager PyTorch."""
MAX_CHANGE, MEAN_CHANGE = 0.25, 0.01
"""Largest, and largest mean, absolute change of the probabilities of validation images at a lower precision."""
F1_DROP = 0.002
"""Largest loss of macro-F1 on val at a lower precision."""
REJECTED_SHIFT = 0.03
"""Largest change of the share of validation scans that the OOD detector rejects."""
FILES = {"fp32": "model.onnx", "bf16": "model.onnx", "int8": "model-int8.onnx"}
"""Precision → file in the bundle; for bf16 the engine computes in bfloat16 from the fp32 file."""
SECONDS = 3.0
"""Duration of the latency measurement."""


@dataclass(frozen=True)
class Exported:
    """An export that passed its checks, beside eager PyTorch."""

    bundle: Bundle
    """Bundle with the export."""
    export: Export
    size: int
    """Size of the exported file in bytes."""
    reference_size: int
    """Size of the bundle's weights in bytes."""
    latency: Latency
    """Latency of one image."""
    reference_latency: Latency
    """Latency of one image in eager PyTorch, timed in turn with the export."""
    fp32_latency: Latency | None
    """Latency of one image at fp32 in the same engine, timed in turn with both; None: the export itself is fp32."""


def export(
    bundle: Bundle,
    samples: pd.DataFrame,
    *,
    engine: str,
    precision: str,
    threads: int | None,
    calibration: int,
    max_change: float = MAX_CHANGE,
    mean_change: float = MEAN_CHANGE,
) -> Exported:
    """Export a bundle's network, check it on all validation images, and write it into the bundle.

    An fp32 export must give the probabilities of eager PyTorch within `TOLERANCE`; at a lower precision they may move
    by ``max_change``, and by ``mean_change`` on average, and macro-F1 may fall by `F1_DROP`. The OOD detector must
    reject about the same share of scans (`REJECTED_SHIFT`). Otherwise nothing is written.

    Args:
        bundle: Bundle of the model.
        samples: Samples table; images of ``train`` calibrate int8, those of ``val`` check the export.
        engine: ``onnxruntime`` or ``openvino``.
        precision: ``fp32``, ``bf16`` or ``int8``.
        threads: Number of threads, see `brain_tumor.serving.engines.open_engine`.
        calibration: Number of calibration images for int8.
        max_change: Largest absolute change of a probability at a lower precision.
        mean_change: Largest mean absolute change of all probabilities at a lower precision.

    Raises:
        ConfigError: The engine does not support this precision.
        DataError: There are no such images, one of them cannot be read, or the model was not selected on them.
        BundleError: A check failed, a package is not installed, or the bundle is damaged.
    """
    require(engine != REFERENCE, f"engine={engine}", "onnxruntime or openvino; torch needs no export")
    require_supported(engine, precision, threads)
    val = _split_of(samples, "val", bundle)
    _require_own_images(val, bundle)
    full = bundle.read(FILES["fp32"]) if FILES["fp32"] in bundle.files else onnx_model(bundle)  # all engines share it
    content = _int8(full, bundle, samples, calibration) if precision == "int8" else full
    exported, reference = open_model(engine, content, precision, threads), open_engine(bundle, REFERENCE)
    images = read_images(val["path"].tolist(), bundle.image_size, "Reading validation images")
    checks = compare(bundle, val, images, reference, exported)
    _accept(f"{engine} at {precision}", precision, checks, max_change, mean_change)
    one = np.ascontiguousarray(images[:1, None])
    timed = {REFERENCE: reference, precision: exported}
    if precision != "fp32":
        timed["fp32"] = open_model(engine, full, "fp32", threads)
    latencies = interleaved({name: partial(run, one) for name, run in timed.items()}, seconds=SECONDS)
    checks["speed_up"] = {
        name: speed_up(latency, latencies[precision]) for name, latency in latencies.items() if name != precision
    }
    checks["speed_up_rounds"] = len(latencies[precision].rounds)
    export = Export(FILES[precision], checks)
    return Exported(
        bundle=_write(bundle, engine, precision, export, content),
        export=export,
        size=len(content),
        reference_size=(bundle.folder / WEIGHTS).stat().st_size,
        latency=latencies[precision],
        reference_latency=latencies[REFERENCE],
        fp32_latency=None if precision == "fp32" else latencies["fp32"],
    )


def _require_own_images(val: pd.DataFrame, bundle: Bundle) -> None:
    """Refuse validation images that the model was not trained or selected on, where the bundle lists these."""
    known = bundle.training_digests
    if not known:
        return
    paths = val["path"].tolist()
    unknown = [path for path, digest in zip(paths, digests(paths), strict=True) if digest not in known]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(val)} validation images were not used to train or select the model (first: "
            f"{unknown[0]}): give the samples.csv of the model's run, or restore these files."
        )


def _split_of(samples: pd.DataFrame, split: str, bundle: Bundle) -> pd.DataFrame:
    rows = samples[samples["split"] == split].reset_index(drop=True)
    if rows.empty:
        raise DataError(f"The samples have no {split} images, which an export needs; give samples=CSV with a split.")
    if unknown := sorted(set(rows["label"]) - set(bundle.classes)):
        raise DataError(f"The samples have classes that the model does not know: {', '.join(unknown)}.")
    return rows


def _int8(full: bytes, bundle: Bundle, samples: pd.DataFrame, calibration: int) -> bytes:
    """Return the content of an ONNX model, quantized with training images."""
    rows = _split_of(samples, "train", bundle).sort_values("label", kind="stable")
    chosen = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, calibration).round().astype(int))]
    return quantized(full, read_images(chosen["path"].tolist(), bundle.image_size, "Reading calibration images"))


def compare(
    bundle: Bundle, val: pd.DataFrame, images: GreyImage, reference: Engine, exported: Engine
) -> dict[str, Any]:
    """Compare the outputs of two engines for the same images.

    Args:
        bundle: Bundle of the model.
        val: Samples table of N validation images.
        images: Their grey images, uint8 [N, S, S].
        reference: Engine of eager PyTorch.
        exported: Engine of the export.

    Returns:
        ``images``, ``max_difference`` and ``mean_difference`` of the probabilities, ``f1_macro_before`` and
        ``f1_macro_after``; of a model with a localizer ``map_max_difference`` and ``map_mean_difference`` of the
        probabilities of its cells; of a model with an OOD detector also ``rejected_before`` and ``rejected_after``, see
        `brain_tumor.evaluation.ood.fit.rejected_shares`.

    Raises:
        DataError: There are too few images to check the OOD detector.
    """
    outputs = [_outputs(engine, images) for engine in (reference, exported)]
    before, after = (
        Predictions.from_frame(predictions_frame(val, bundle.classes, softmax(each.logits, bundle.temperature)))
        for each in outputs
    )
    changes = np.abs(after.probabilities - before.probabilities)
    checks = {
        "images": len(images),
        "max_difference": float(changes.max()),
        "mean_difference": float(changes.mean()),
        "f1_macro_before": _f1_macro(before),
        "f1_macro_after": _f1_macro(after),
    }
    if bundle.has_map:
        maps = [_probabilities_of_cells(each) for each in outputs]
        moved = np.abs(maps[1] - maps[0])
        checks |= {"map_max_difference": float(moved.max()), "map_mean_difference": float(moved.mean())}
    if detector := open_detector(bundle):
        features_and_logits = ((features_for(detector, each, bundle), each.logits) for each in outputs)
        shares = rejected_shares(detector, before.groups, *features_and_logits)
        checks |= dict(zip(("rejected_before", "rejected_after"), shares, strict=True))
    return checks


def _outputs(engine: Engine, images: GreyImage) -> Outputs:
    batches = infer(engine, progress(images, "Comparing with eager PyTorch"))
    found = zip(Outputs._fields, zip(*batches, strict=True), strict=True)
    return Outputs(**{name: np.concatenate(each) for name, each in found if each[0] is not None})


def _probabilities_of_cells(outputs: Outputs) -> npt.NDArray[np.floating[Any]]:
    """Probabilities [N, h, w] of the cells of the maps.

    Raises:
        BundleError: The engine yields no maps.
    """
    if outputs.map is None:
        raise BundleError("The exported model yields no map; export it again.")
    return 1 / (1 + np.exp(-outputs.map))


def _f1_macro(predictions: Predictions) -> float:
    return float(metric_values(predictions, np.ones((1, len(predictions.labels))))["f1_macro"][0])


def _accept(what: str, precision: str, checks: dict[str, Any], max_change: float, mean_change: float) -> None:
    before, after, images = checks["f1_macro_before"], checks["f1_macro_after"], checks["images"]
    if precision == "fp32" and not checks["max_difference"] <= TOLERANCE:
        raise BundleError(
            f"{what} is refused: its probabilities differ from eager PyTorch's by up to {checks['max_difference']:.1e} "
            f"on {images} validation images, and {TOLERANCE:.0e} is allowed."
        )
    if precision == "fp32" and not checks.get("map_max_difference", 0.0) <= MAP_TOLERANCE:
        raise BundleError(
            f"{what} is refused: its maps differ from eager PyTorch's by up to {checks['map_max_difference']:.1e} on "
            f"{images} validation images, and {MAP_TOLERANCE:.0e} is allowed."
        )
    if precision != "fp32" and not checks.get("map_mean_difference", 0.0) <= mean_change:
        raise BundleError(
            f"{what} is refused: its maps on {images} validation images move on average by "
            f"{checks['map_mean_difference']:.2g} from eager PyTorch's, and mean_change={mean_change:g} is allowed; "
            "take a higher precision, or more calibration images."
        )
    changes = (
        ("max_change", checks["max_difference"], max_change),
        ("mean_change", checks["mean_difference"], mean_change),
    )
    for key, change, allowed in changes if precision != "fp32" else ():
        if not change <= allowed:
            kind = "by up to" if key == "max_change" else "on average by"
            raise BundleError(
                f"{what} is refused: its probabilities on {images} validation images move {kind} {change:.2g} from "
                f"eager PyTorch's, and {key}={allowed:g} is allowed; take a higher precision, or more calibration "
                "images."
            )
    if not before - after <= F1_DROP:
        raise BundleError(
            f"{what} is refused: macro-F1 on {images} validation images falls from {before:.4f} to {after:.4f}, and a "
            f"fall of {F1_DROP} is allowed; take a higher precision, or more calibration images."
        )
    if "rejected_before" in checks:
        was, now = checks["rejected_before"], checks["rejected_after"]
        if not abs(now - was) <= REJECTED_SHIFT:
            raise BundleError(
                f"{what} is refused: its OOD detector rejects {now:.1%} of {images} validation scans where eager "
                f"PyTorch's rejects {was:.1%}, and a difference of {REJECTED_SHIFT:.0%} is allowed; take a higher "
                "precision, or more calibration images."
            )


def _write(bundle: Bundle, engine: str, precision: str, export: Export, content: bytes) -> Bundle:
    """Write the model, then the configuration that names it; checks of a file that is replaced are dropped."""
    digest = hashlib.sha256(content).hexdigest()
    kept = {
        name: {kind: other for kind, other in kinds.items() if _is_valid(bundle, other, export.file, digest)}
        for name, kinds in bundle.exports.items()
    }
    with published_file(bundle.folder / export.file) as draft:
        draft.write_bytes(content)
    written = replace(
        bundle,
        files={**bundle.files, export.file: digest},
        exports={**kept, engine: {**kept.get(engine, {}), precision: export}},
    )
    write_config(written)
    write_exports_to_card(written)
    return written


def _is_valid(bundle: Bundle, other: Export, file: str, digest: str) -> bool:
    """Return whether the checks of another export still hold after a file was written."""
    return other.file != file or bundle.files[file] == digest
