"""Conversion of a bundle's network to ONNX with uint8 grey input, in full precision or quantised to int8."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import require_package
from brain_tumor.serving.engines.eager import network_of
from brain_tumor.types import GreyImage

PIXELS = "pixels"
"""Name of the model's input."""
_BATCH = 16
_WEIGHTED = ("Conv", "Gemm", "MatMul")


def onnx_model(bundle: Bundle) -> bytes:
    """Export the network with a dynamic batch size: uint8 [B, 1, S, S] → logits float32 [B, classes].

    With an OOD detector there is an output features float32 [B, D], with a localizer an output map float32 [B, h, w].

    Raises:
        BundleError: The bundle is damaged, or a required package is not installed.
    """
    for package in ("onnx", "onnxscript"):
        require_package(package)
    example = torch.zeros(2, 1, bundle.image_size, bundle.image_size, dtype=torch.uint8)
    network = network_of(bundle)
    network(example)  # creates the constants of the normalisation, which the exporter cannot create while tracing
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[PIXELS],
            output_names=list(network.outputs),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - None is returned only when a file name is given
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's warnings about itself and its log of every node."""
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


def quantized(model: bytes, images: GreyImage) -> bytes:
    """Quantise an ONNX model to QDQ format, which ONNX Runtime and OpenVINO both run with int8 kernels.

    Args:
        model: ONNX model of `onnx_model`.
        images: Calibration images uint8 [N, S, S].

    Raises:
        BundleError: A required package is not installed.
    """
    require_package("onnx")
    require_package("onnxruntime")
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[GreyImage] = iter(
                images[start : start + _BATCH, None] for start in range(0, len(images), _BATCH)
            )

        def get_next(self) -> dict[str, GreyImage] | None:
            batch = next(self._batches, None)
            return None if batch is None else {PIXELS: batch}

    with tempfile.TemporaryDirectory() as folder:
        original, preprocessed, int8 = (Path(folder) / f"{name}.onnx" for name in ("original", "preprocessed", "int8"))
        original.write_bytes(model)
        quant_pre_process(original, preprocessed, skip_symbolic_shape=True)
        quantize_static(
            preprocessed,
            int8,
            Batches(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_normalisation(onnx.load(preprocessed).graph.node),
        )
        return int8.read_bytes()


def _normalisation(nodes: Sequence[Any]) -> list[str]:
    """Return the names of all nodes before the first weights: the input is exact, rounding it would cost accuracy."""
    return [node.name for node in takewhile(lambda node: node.op_type not in _WEIGHTED, nodes)]
