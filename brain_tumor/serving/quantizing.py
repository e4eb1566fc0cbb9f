"""Static quantisation to int8: weights per channel, activations by what calibration pictures make of them."""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.serving.engines import require_package
from brain_tumor.serving.onnx_graph import PIXELS

_BATCH = 16
_WEIGHTED = ("Conv", "Gemm", "MatMul")


def quantized(model: bytes, squares: npt.NDArray[np.uint8]) -> bytes:
    """Quantise an ONNX model; the result holds QDQ nodes, which ONNX Runtime and OpenVINO both turn into int8 kernels.

    Args:
        model: Of `onnx_graph.onnx_model`.
        squares: Calibration pictures uint8 [N, S, S].

    Raises:
        BundleError: The package for it is not installed.
    """
    require_package("onnx")
    require_package("onnxruntime")
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[npt.NDArray[np.uint8]] = iter(
                squares[start : start + _BATCH, None] for start in range(0, len(squares), _BATCH)
            )

        def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {PIXELS: batch}

    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder) / f"{name}.onnx" for name in ("whole", "ready", "small"))
        whole.write_bytes(model)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            small,
            Batches(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_normalisation(onnx.load(ready).graph.node),
        )
        return small.read_bytes()


def _normalisation(nodes: Sequence[Any]) -> list[str]:
    """Names of all before the first weights: bytes come in exact, and to round them there would cost accuracy."""
    return [node.name for node in takewhile(lambda node: node.op_type not in _WEIGHTED, nodes)]
