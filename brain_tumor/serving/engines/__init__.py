"""Engines that run a bundle's network on grey uint8 images.

All except torch run models that ``brain-tumor export`` made and checked. An engine opens the content of a model file:
an export can be checked before it becomes part of a bundle.
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


class Outputs(NamedTuple):
    """Outputs of a network for B images."""

    logits: npt.NDArray[np.float32]
    """float32 [B, classes]."""
    features: npt.NDArray[np.float32] | None = None
    """float32 [B, D], features of all stages for the OOD detector; None for a bundle without one."""
    map: npt.NDArray[np.float32] | None = None
    """float32 [B, h, w], logit of each cell of the map; None for a bundle without a localizer."""

    def of_rows(self, rows: slice) -> "Outputs":
        """Return the outputs of some of the images."""
        features, cells = self.features, self.map
        return Outputs(
            self.logits[rows], None if features is None else features[rows], None if cells is None else cells[rows]
        )


LOGITS, FEATURES, MAP = Outputs._fields


Engine = Callable[[Pixels], Outputs]
"""A function that several threads may call at the same time."""


@dataclass(frozen=True)
class EngineKind:
    """An engine, described without importing its package."""

    module: str
    """Module with a function ``open_model(content, precision, threads)``; the only one that imports ``package``."""
    package: str
    """Python package that the engine needs."""
    precisions: tuple[str, ...]
    """Precisions that the engine supports."""


ENGINES = {
    "onnxruntime": EngineKind("brain_tumor.serving.engines.onnx_runtime", "onnxruntime", ("fp32", "int8")),
    "openvino": EngineKind("brain_tumor.serving.engines.open_vino", "openvino", ("fp32", "bf16", "int8")),
    "torch": EngineKind("brain_tumor.serving.engines.eager", "torch", ("fp32",)),
}
"""Engines in the order in which ``auto`` prefers them."""
AUTO = "auto"
REFERENCE = "torch"
"""The engine that exports are compared with."""
EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx", "openvino": "openvino"}
"""Package → extra of brain-tumor that installs it."""


def open_engine(bundle: Bundle, engine: str = AUTO, precision: str = "fp32", threads: int | None = None) -> Engine:
    """Open a bundle's network.

    Args:
        bundle: Bundle with the network.
        engine: Key of `ENGINES`, or ``auto``: the first engine that is installed and was exported at this precision,
            else torch.
        precision: ``fp32``, or an exported precision: ``bf16``, ``int8``.
        threads: Number of threads per call; None uses one per physical core that this process may use.

    Raises:
        ConfigError: There is no such engine, or it does not support this precision.
        BundleError: The engine is not installed, nothing was exported for it, or the bundle is damaged.
    """
    name = _first_available(bundle, precision) if engine == AUTO else engine
    require_supported(name, precision, threads)
    if name == REFERENCE:
        require_package("torch")
        from brain_tumor.serving.engines.eager import open_bundle

        return open_bundle(bundle, threads)
    export = bundle.exports.get(name, {}).get(precision)
    if export is None:
        raise BundleError(
            f"{bundle.folder} was not exported for {name} at {precision}; export it first: "
            f"brain-tumor export bundle={bundle.folder} engine={name} precision={precision}."
        )
    return open_model(name, bundle.read(export.file), precision, threads)


def _first_available(bundle: Bundle, precision: str) -> str:
    precisions = sorted({name for kind in ENGINES.values() for name in kind.precisions})
    require(precision in precisions, f"precision={precision}", " or ".join(precisions))
    for name, kind in ENGINES.items():
        if precision in bundle.exports.get(name, {}) and importlib.util.find_spec(kind.package):
            return name
    if precision not in ENGINES[REFERENCE].precisions:
        raise BundleError(
            f"{bundle.folder} was not exported at {precision} for any installed engine; export it first: "
            f"brain-tumor export bundle={bundle.folder} precision={precision}."
        )
    return REFERENCE


def open_model(engine: str, content: bytes, precision: str, threads: int | None = None) -> Engine:
    """Open an ONNX model with an engine other than torch.

    Args:
        engine: Key of `ENGINES`.
        content: Content of the ONNX file.
        precision: Precision at which the engine computes, see `open_engine`.
        threads: Number of threads per call, see `open_engine`.

    Raises:
        BundleError: The engine's package is not installed, or the engine cannot run this model here.
    """
    kind = ENGINES[engine]
    require_package(kind.package)
    opened: Engine = importlib.import_module(kind.module).open_model(content, precision, threads or cores())
    return opened


def require_supported(engine: str, precision: str, threads: int | None) -> None:
    """Check that an engine exists and supports a precision, and that the number of threads is valid.

    Raises:
        ConfigError: One of them is invalid.
    """
    require(engine in ENGINES, f"engine={engine}", " or ".join([AUTO, *ENGINES]))
    precisions = ENGINES[engine].precisions
    require(precision in precisions, f"precision={precision} with engine={engine}", " or ".join(precisions))
    valid = threads is None or (isinstance(threads, int) and threads >= 1)
    require(valid, f"threads={threads}", "a whole number from 1")


def require_package(package: str) -> None:
    """Check that a package is installed.

    Raises:
        BundleError: The package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        extra = EXTRAS.get(package)
        requirement = f"'brain-tumor[{extra}]'" if extra else package
        raise BundleError(f"{package} is required but not installed; run: pip install {requirement}.")


def cores() -> int:
    """Count the physical cores that this process may use, by CPU affinity and container limit."""
    return int(joblib.cpu_count(only_physical_cores=True))
