"""Engines: each runs a bundle's network on grey bytes; all but torch run what ``brain-tumor export`` made and checked.

An engine is made of the model's content, so that it can be tried before it becomes part of a bundle.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import joblib
import numpy as np
import numpy.typing as npt

from brain_tumor.errors import BundleError, require
from brain_tumor.serving.bundle import Bundle

Pixels = npt.NDArray[np.uint8]
"""Grey images uint8 [B, 1, S, S] of the bundle's image size."""
Floats = npt.NDArray[np.float32]


class Outputs(NamedTuple):
    """What a network makes of B images."""

    logits: Floats
    """float32 [B, classes]."""
    features: Floats | None = None
    """float32 [B, D], of all stages; None where the bundle has no detector, which is what they are for."""


Engine = Callable[[Pixels], Outputs]
"""Safe to call from several threads."""


@dataclass(frozen=True)
class EngineKind:
    """What there is to know of an engine before it is opened."""

    module: str
    """With a function ``open_model(content, precision, threads)``; and its import is all that needs ``package``."""
    package: str
    """It needs."""
    precisions: tuple[str, ...]
    """It can run."""


ENGINES = {
    "onnxruntime": EngineKind("brain_tumor.serving.engines.onnx_runtime", "onnxruntime", ("fp32", "int8")),
    "openvino": EngineKind("brain_tumor.serving.engines.open_vino", "openvino", ("fp32", "bf16", "int8")),
    "torch": EngineKind("brain_tumor.serving.engines.eager", "torch", ("fp32",)),
}
"""In the order in which ``auto`` prefers them; `torch` is the reference that the others are checked against."""
AUTO = "auto"
REFERENCE = "torch"
EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx", "openvino": "openvino"}
"""Package → extra of ours that brings it."""


def open_engine(bundle: Bundle, engine: str = AUTO, precision: str = "fp32", threads: int | None = None) -> Engine:
    """Open a bundle's network.

    Args:
        bundle: It is read from.
        engine: One of `ENGINES`, or ``auto``: the first that is installed and was exported at this precision; else
            torch.
        precision: ``fp32``, or what was exported: ``bf16``, ``int8``.
        threads: That one call computes with; None is one for each physical core this process may use.

    Raises:
        ConfigError: There is no such engine, or it cannot run at this precision.
        BundleError: It is not installed, nothing was exported for it, or the bundle is damaged.
    """
    name = _choose(bundle, precision) if engine == AUTO else engine
    require_possible(name, precision, threads)
    if name == REFERENCE:
        require_package("torch")
        from brain_tumor.serving.engines.eager import open_bundle

        return open_bundle(bundle, threads)
    export = bundle.exports.get(name, {}).get(precision)
    if export is None:
        raise BundleError(
            f"{bundle.folder} was not exported for {name} at {precision}; do so first: "
            f"brain-tumor export bundle={bundle.folder} engine={name} precision={precision}."
        )
    return open_model(name, bundle.read(export.file), precision, threads)


def open_model(engine: str, content: bytes, precision: str, threads: int | None = None) -> Engine:
    """Open an ONNX model with an engine other than torch; for ``precision`` and ``threads`` see `open_engine`.

    Raises:
        BundleError: The engine's package is not installed, or it cannot run this model here.
    """
    kind = ENGINES[engine]
    require_package(kind.package)
    opened: Engine = importlib.import_module(kind.module).open_model(content, precision, threads or cores())
    return opened


def require_possible(engine: str, precision: str, threads: int | None) -> None:
    """Check that an engine exists and runs at a precision, with so many threads.

    Raises:
        ConfigError: It does not.
    """
    require(engine in ENGINES, f"engine={engine}", " or ".join([AUTO, *ENGINES]))
    kinds = ENGINES[engine].precisions
    require(precision in kinds, f"precision={precision} with engine={engine}", " or ".join(kinds))
    good = threads is None or (isinstance(threads, int) and threads >= 1)
    require(good, f"threads={threads}", "a whole number from 1")


def require_package(package: str) -> None:
    """Check that a package is installed.

    Raises:
        BundleError: It is not.
    """
    if importlib.util.find_spec(package) is None:
        extra = EXTRAS.get(package)
        what = f"'brain-tumor[{extra}]'" if extra else package
        raise BundleError(f"{package} is needed and not installed; run: pip install {what}.")


def cores() -> int:
    """Physical cores that this process may use, by affinity and by the limit of its container."""
    return int(joblib.cpu_count(only_physical_cores=True))


def _choose(bundle: Bundle, precision: str) -> str:
    known = sorted({kind for engine in ENGINES.values() for kind in engine.precisions})
    require(precision in known, f"precision={precision}", " or ".join(known))
    for name, kind in ENGINES.items():
        if precision in bundle.exports.get(name, {}) and importlib.util.find_spec(kind.package):
            return name
    if precision not in ENGINES[REFERENCE].precisions:
        raise BundleError(
            f"{bundle.folder} was exported at {precision} for no engine that is installed; do so first: "
            f"brain-tumor export bundle={bundle.folder} precision={precision}."
        )
    return REFERENCE
