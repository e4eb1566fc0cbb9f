"""What exported models gain over eager PyTorch: latency of one image, throughput of batches, agreement.

python tests/benchmarks/inference.py

All variants of a model take turns in one process, in bursts, so that whatever else the machine does meets all alike.
Eager PyTorch does what it must, normalising and forward pass under inference mode on the same grey bytes, and is given
the better of two memory layouts and of one thread and all; the engines are used as `Predictor.load` opens them.
"""

import copy
import json
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from charts import Bar, bars
from machine import machine

from brain_tumor import Predictor
from brain_tumor.errors import BundleError
from brain_tumor.serving.bundle import Bundle, read_bundle
from brain_tumor.serving.engines import Engine, Outputs, cores, open_engine, open_model
from brain_tumor.serving.engines.eager import UInt8Network, network_of
from brain_tumor.serving.export import F1_DROP, TOLERANCE, compare
from brain_tumor.serving.files import read_images
from brain_tumor.serving.images import prepare_image
from brain_tumor.serving.latency import Latency, interleaved
from brain_tumor.serving.onnx_graph import onnx_model, quantized
from brain_tumor.train import train

MODELS = {
    "cnn": ["data.patients=240", "trainer.max_epochs=6"],
    "resnet18": [
        "model=resnet18", "model.pretrained=false", "optimizer.lr=1e-3", "data.image_size=224", "data.patients=40",
        "data.slices=1", "trainer.max_epochs=1",
    ],
}  # fmt: skip
"""Trained on phantoms for a moment: time does not depend on how well."""
EXPORTS = [
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]
BATCH = 32
ASKED = 3.0
"""Times faster than eager PyTorch, for one image and the default model at fp32."""


def measure(models: dict[str, list[str]] = MODELS, seconds: float = 12.0) -> dict[str, Any]:
    """Train, export and time each model; ``seconds`` for latencies and as many for batches."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: _model(Path(folder) / name, overrides, seconds) for name, overrides in models.items()}


def _model(run_dir: Path, overrides: list[str], seconds: float) -> dict[str, Any]:
    with redirect_stdout(StringIO()):
        train([*overrides, "callbacks=[]", "evaluation.resamples=20"], run_dir)
    bundle = read_bundle(run_dir)
    samples = pd.read_csv(run_dir / "samples.csv", dtype=str, keep_default_na=False)
    val = samples[samples["split"] == "val"]
    some = samples[samples["split"] == "train"].iloc[::4]
    calibration, squares = (read_images(rows["path"].tolist(), bundle.image_size, "Reading") for rows in (some, val))
    engines, eager = _exported(bundle, calibration), _eager(bundle)
    calls = eager | engines
    singles, batches = (
        interleaved(_on(calls, np.resize(squares, (size, *squares.shape[1:]))), seconds=seconds, rounds=3)
        for size in (1, BATCH)
    )
    one, many = (min(found[name].median for name in eager) for found in (singles, batches))
    fastest = eager[min(eager, key=lambda name: singles[name].median)]
    reference = open_engine(bundle, "torch")
    return {
        "image_size": bundle.image_size,
        "validation_images": len(val),
        "variants": {name: _row(singles[name], batches[name], one, many) for name in calls},
        "checks": {name: compare(bundle, val, squares, reference, engine) for name, engine in engines.items()},
        "end_to_end": _end_to_end(bundle, fastest, engines["onnxruntime fp32"], val["path"].iloc[0], seconds / 3),
    }


def _exported(bundle: Bundle, calibration: np.ndarray) -> dict[str, Engine]:
    full = onnx_model(bundle)
    contents = {"fp32": full, "bf16": full, "int8": quantized(full, calibration)}
    opened: dict[str, Engine] = {}
    for engine, precision in EXPORTS:
        try:
            opened[f"{engine} {precision}"] = open_model(engine, contents[precision], precision)
        except BundleError as error:
            print(f"{engine} {precision}: left out. {error}")  # bfloat16 on an older CPU
    return opened


def _eager(bundle: Bundle) -> dict[str, Engine]:
    """Eager PyTorch in each memory layout, with one thread and with all."""
    last = network_of(bundle)
    plain = copy.deepcopy(last)
    plain._format = torch.contiguous_format
    plain.network.to(memory_format=torch.contiguous_format)
    layouts = {"": plain, " channels_last": last}
    return {
        f"torch{layout} {threads}t": _threaded(network, threads)
        for layout, network in layouts.items()
        for threads in sorted({1, cores()})
    }


def _threaded(network: UInt8Network, threads: int) -> Engine:
    def run(pixels: np.ndarray) -> Outputs:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            found = network(torch.from_numpy(pixels))
            return Outputs(**{name: part.numpy() for name, part in zip(network.outputs, found, strict=True)})

    return run


def _on(calls: dict[str, Engine], squares: np.ndarray) -> dict[str, Callable[[], object]]:
    pixels = np.ascontiguousarray(squares[:, None])
    return {name: lambda call=call: call(pixels) for name, call in calls.items()}


def _row(single: Latency, batch: Latency, one: float, many: float) -> dict[str, Any]:
    """Of one variant; ``one`` and ``many`` are seconds of eager PyTorch at its best."""
    return {
        "median_ms": round(1000 * single.median, 3),
        "p95_ms": round(1000 * single.p95, 3),
        "calls": single.calls,
        "speed_up": round(one / single.median, 2),
        "batch_images_per_s": round(BATCH / batch.median),
        "batch_speed_up": round(many / batch.median, 2),
    }


def _end_to_end(bundle: Bundle, fastest: Engine, exported: Engine, path: str, seconds: float) -> dict[str, Any]:
    """Milliseconds of a file: decoding and fitting it, and the whole way to the answer."""
    eager, ours = (Predictor(bundle, engine) for engine in (fastest, exported))
    found = interleaved(
        {
            "decode": lambda: prepare_image(path, bundle.image_size),
            "torch": lambda: eager(path),
            "onnxruntime fp32": lambda: ours(path),
        },
        seconds=seconds,
    )
    return {name: round(1000 * latency.median, 3) for name, latency in found.items()}


def tell(found: dict[str, Any]) -> None:
    """Print a table for each model."""
    for name, model in found.items():
        print(f"  {name} at {model['image_size']} px: one image, and batches of {BATCH}")
        for variant, row in model["variants"].items():
            checks = model["checks"].get(variant)
            print(
                f"    {variant:<26}{row['median_ms']:8.3f} ms, p95 {row['p95_ms']:8.3f} ms {row['speed_up']:6.2f}×"
                f"{row['batch_images_per_s']:8} images/s {row['batch_speed_up']:6.2f}×"
                + (_checked(checks) if checks else "")
            )
        ways = ", ".join(f"{way} {value} ms" for way, value in model["end_to_end"].items())
        print(f"    from a file: {ways}")
    if "cnn" in found:
        gained = found["cnn"]["variants"]["onnxruntime fp32"]["speed_up"]
        apart = found["cnn"]["checks"]["onnxruntime fp32"]["max_difference"]
        print(f"  default model, one image: {gained}× (asked: ≥ {ASKED:g})")
        print(f"  its probabilities: within {apart:.0e} of eager PyTorch's (asked: ≤ {TOLERANCE:.0e})")


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw medians of one image, up to the 95th percentile."""
    panels = {}
    for name, model in found.items():
        variants = model["variants"]
        eager = min(row["median_ms"] for variant, row in variants.items() if variant.startswith("torch"))
        asked = {"onnxruntime fp32": eager / ASKED} if name == "cnn" else {}
        panels[f"{name}, {model['image_size']} px"] = {
            variant: Bar(row["median_ms"], row["median_ms"], row["p95_ms"], asked.get(variant))
            for variant, row in variants.items()
        }
    bars(path, "ms for one image, median and 95th percentile", panels)


def _checked(checks: dict[str, Any]) -> str:
    change = checks["f1_macro_after"] - checks["f1_macro_before"]
    refused = " refused" * (-change > F1_DROP)
    return f"   max. difference {checks['max_difference']:.0e}, macro-F1 {change:+.4f}{refused}"


if __name__ == "__main__":
    print(json.dumps(machine()))
    measured = measure()
    tell(measured)
    print(json.dumps(measured))
