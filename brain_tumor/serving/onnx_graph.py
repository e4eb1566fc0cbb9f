"""A bundle's network as an ONNX model that takes grey bytes, in full precision or quantised to int8."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import require_package
from brain_tumor.serving.engines.eager import network_of

PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"
"""Names of the model's input and outputs."""


def onnx_model(bundle: Bundle) -> bytes:
    """Export the network with a batch of any size: uint8 [B, 1, S, S] → logits float32 [B, classes].

    A bundle with a detector gets a second output, features float32 [B, D].

    Raises:
        BundleError: The bundle is damaged, or the packages for it are not installed.
    """
    for package in ("onnx", "onnxscript"):
        require_package(package)
    example = torch.zeros(2, 1, bundle.image_size, bundle.image_size, dtype=torch.uint8)
    network = network_of(bundle)
    network(example)  # settles the normalisation's constants, which the exporter then finds as they are
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[PIXELS],
            output_names=[LOGITS, FEATURES] if network.features else [LOGITS],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - no file name was given
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter warns of itself, and its account of every node."""
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_BATCH = 16
_WEIGHTED = ("Conv", "Gemm", "MatMul")


def quantized(model: bytes, squares: npt.NDArray[np.uint8]) -> bytes:
    """Quantise an ONNX model; the result holds QDQ nodes, which ONNX Runtime and OpenVINO both turn into int8 kernels.

    Args:
        model: Of `onnx_graph.onnx_model`.
        squares: Calibration images uint8 [N, S, S].

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
