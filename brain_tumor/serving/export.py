"""A bundle's network for an engine and a precision, checked on validation images before it becomes part of it."""

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.progress import progress
from brain_tumor.errors import BundleError, DataError, require
from brain_tumor.evaluation.metrics.values import metric_values
from brain_tumor.evaluation.ood.fit import rejected_shares
from brain_tumor.evaluation.predictions import Predictions, predictions_frame
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import WEIGHTS, Bundle, Export, write_config
from brain_tumor.serving.engines import REFERENCE, Engine, Outputs, open_engine, open_model, require_supported
from brain_tumor.serving.inference import squares_of
from brain_tumor.serving.onnx_graph import onnx_model, quantized
from brain_tumor.serving.predictor import features_for, open_detector, softmax

TOLERANCE = 1e-4
"""Largest difference of a probability that an fp32 export may have from eager PyTorch's."""
F1_DROP = 0.002
"""What macro-F1 on validation may lose at a lower precision."""
REJECTED_SHIFT = 0.03
"""How much larger or smaller the share of validation scans may become that the detector rejects."""
FILES = {"fp32": "model.onnx", "bf16": "model.onnx", "int8": "model-int8.onnx"}
"""Precision → file in the bundle. In bfloat16 the engine computes, the file is the same."""
SECONDS = 3.0
"""Spent on latencies."""
_BATCH = 32


@dataclass(frozen=True)
class Latency:
    """Seconds of one call."""

    median: float
    p95: float
    calls: int


def interleaved(calls: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int = 5) -> dict[str, Latency]:
    """Time calls in turn, in bursts, until ``seconds`` are over and each had ``rounds`` of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end, done = time.perf_counter() + seconds, 0
    while done < rounds or time.perf_counter() < end:
        for name, call in calls.items():
            call()
            times[name] += [_timed(call) for _ in range(_BURST)]
        done += 1
    return {name: _latency(found) for name, found in times.items()}


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _latency(times: Sequence[float]) -> Latency:
    return Latency(statistics.median(times), statistics.quantiles(times, n=20, method="inclusive")[-1], len(times))


@dataclass(frozen=True)
class Exported:
    """An export that passed its checks, and what it gains."""

    bundle: Bundle
    """With the export."""
    export: Export
    size: int
    """Of the file, bytes."""
    reference_size: int
    """Of the weights, bytes."""
    latency: Latency
    """Of one image."""
    reference_latency: Latency
    """Of one image in eager PyTorch, timed side by side."""


def export(
    bundle: Bundle, samples: pd.DataFrame, *, engine: str, precision: str, threads: int | None, calibration: int
) -> Exported:
    """Export a bundle's network, check it on all validation images, and write it into the bundle.

    An fp32 export must give the probabilities of eager PyTorch within `TOLERANCE`; at a lower precision macro-F1 may
    fall by `F1_DROP`. The OOD detector must reject about the same share of scans (`REJECTED_SHIFT`). Otherwise nothing
    is written.

    Args:
        bundle: Of the model.
        samples: With ``path``, ``label`` and ``split``; calibration takes some of ``train``, checks take ``val``.
        engine: ``onnxruntime`` or ``openvino``.
        precision: ``fp32``, ``bf16`` or ``int8``.
        threads: As for `brain_tumor.serving.engines.open_engine`.
        calibration: Number of images for int8.

    Raises:
        ConfigError: The engine does not run at this precision.
        DataError: There are no such images, or one cannot be read.
        BundleError: A check failed, a package is missing, or the bundle is damaged.
    """
    require(engine != REFERENCE, f"engine={engine}", "onnxruntime or openvino; torch needs no export")
    require_supported(engine, precision, threads)
    val = _side(samples, "val", bundle)
    content = _model(bundle, precision, samples, calibration)
    ours, reference = open_model(engine, content, precision, threads), open_engine(bundle, REFERENCE)
    squares = squares_of(val["path"].tolist(), bundle.image_size, "Reading validation images")
    checks = compare(bundle, val, squares, reference, ours)
    _accept(f"{engine} at {precision}", precision, checks)
    one = np.ascontiguousarray(squares[:1, None])
    latencies = interleaved({REFERENCE: lambda: reference(one), engine: lambda: ours(one)}, seconds=SECONDS)
    export = Export(FILES[precision], checks)
    return Exported(
        bundle=_write(bundle, engine, precision, export, content),
        export=export,
        size=len(content),
        reference_size=(bundle.folder / WEIGHTS).stat().st_size,
        latency=latencies[engine],
        reference_latency=latencies[REFERENCE],
    )


def _side(samples: pd.DataFrame, split: str, bundle: Bundle) -> pd.DataFrame:
    rows = samples[samples["split"] == split].reset_index(drop=True)
    if rows.empty:
        raise DataError(f"The samples have no {split} images, which an export needs; give samples=CSV with a split.")
    if strange := sorted(set(rows["label"]) - set(bundle.classes)):
        raise DataError(f"The samples have classes that the model does not know: {', '.join(strange)}.")
    return rows


def _model(bundle: Bundle, precision: str, samples: pd.DataFrame, calibration: int) -> bytes:
    """Content of the ONNX model; the fp32 one that lies in the bundle is used again, so that it is the same for all."""
    full = bundle.read(FILES["fp32"]) if FILES["fp32"] in bundle.files else onnx_model(bundle)
    if precision != "int8":
        return full
    rows = _side(samples, "train", bundle).sort_values("label", kind="stable")
    chosen = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, calibration).round().astype(int))]
    return quantized(full, squares_of(chosen["path"].tolist(), bundle.image_size, "Reading calibration images"))


def compare(
    bundle: Bundle, val: pd.DataFrame, squares: npt.NDArray[np.uint8], reference: Engine, ours: Engine
) -> dict[str, Any]:
    """What two engines make of the same images.

    Args:
        bundle: Of the model.
        val: Samples with their labels.
        squares: What they show, uint8 [N, S, S].
        reference: The first engine.
        ours: The second.

    Returns:
        ``images``, ``max_difference`` of a probability, ``f1_macro_before`` and ``f1_macro_after``; of a model with a
        detector also ``rejected_before`` and ``rejected_after``, see
        `brain_tumor.evaluation.ood.fit.rejected_shares`.

    Raises:
        DataError: There are too few images to tell what a detector does to them.
    """
    found = [_outputs(engine, squares) for engine in (reference, ours)]
    before, after = (
        Predictions.from_frame(predictions_frame(val, bundle.classes, softmax(outputs.logits, bundle.temperature)))
        for outputs in found
    )
    checks = {
        "images": len(squares),
        "max_difference": float(np.abs(after.probabilities - before.probabilities).max()),
        "f1_macro_before": _f1_macro(before),
        "f1_macro_after": _f1_macro(after),
    }
    if detector := open_detector(bundle):
        was, now = ((features_for(detector, outputs, bundle), outputs.logits) for outputs in found)
        shares = rejected_shares(detector, before.groups, was, now)
        checks |= dict(zip(("rejected_before", "rejected_after"), shares, strict=True))
    return checks


def _outputs(engine: Engine, squares: npt.NDArray[np.uint8]) -> Outputs:
    starts = progress(range(0, len(squares), _BATCH), "Comparing with eager PyTorch")
    parts = [engine(np.ascontiguousarray(squares[start : start + _BATCH, None])) for start in starts]
    return Outputs(*(np.concatenate(each) for each in zip(*parts, strict=True) if each[0] is not None))


def _f1_macro(predictions: Predictions) -> float:
    return float(metric_values(predictions, np.ones((1, len(predictions.labels))))["f1_macro"][0])


def _accept(what: str, precision: str, checks: dict[str, Any]) -> None:
    before, after, images = checks["f1_macro_before"], checks["f1_macro_after"], checks["images"]
    if precision == "fp32" and not checks["max_difference"] <= TOLERANCE:
        raise BundleError(
            f"{what} is refused: its probabilities differ from eager PyTorch's by up to {checks['max_difference']:.1e} "
            f"on {images} validation images, and {TOLERANCE:.0e} is allowed."
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
    """Write the model, then the configuration that names it."""
    digest = hashlib.sha256(content).hexdigest()
    kept = {
        name: {kind: other for kind, other in kinds.items() if _still_holds(bundle, other, export.file, digest)}
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
    return written


def _still_holds(bundle: Bundle, other: Export, file: str, digest: str) -> bool:
    """What was checked of a file that is now another one no longer holds."""
    return other.file != file or bundle.files[file] == digest


_BURST = 5
"""Calls in a row; the one before them is not counted, since it still meets the caches and threads of another."""
