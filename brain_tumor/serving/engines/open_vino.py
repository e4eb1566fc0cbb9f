"""OpenVINO on the CPU, which reads ONNX models directly."""

from threading import Lock

import numpy as np

from brain_tumor.errors import BundleError
from brain_tumor.serving.architectures import hide_package
from brain_tumor.serving.engines import Engine, Outputs, Pixels

with hide_package("absl"):  # absl's log handler closes streams that it does not own when logging is reconfigured
    import openvino as ov

_COMPUTE_TYPES = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Precision → type of the operators that are not quantised."""


def open_model(content: bytes, precision: str, threads: int) -> Engine:
    """Compile an ONNX model for latency.

    Batches are padded to a power of two, and the model is compiled for each such size when it is first needed: with a
    dynamic batch size, quantised networks gave wrong logits (ResNet-18 with OpenVINO 2026.4).

    Args:
        content: Content of the ONNX file.
        precision: Key of `_COMPUTE_TYPES`.
        threads: Number of threads per call.

    Raises:
        BundleError: This version of OpenVINO cannot run the model, or the CPU does not support bfloat16.
    """
    core = ov.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BundleError("This CPU does not support bfloat16; use precision=fp32 or precision=int8.")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _COMPUTE_TYPES[precision],
    }

    def compile_for(batch: int) -> ov.InferRequest:
        model = core.read_model(content)
        model.reshape([batch, *model.input(0).partial_shape[1:]])
        return core.compile_model(model, "CPU", settings).create_infer_request()

    try:
        requests = {1: compile_for(1)}
    except RuntimeError as error:
        raise BundleError(f"OpenVINO {ov.__version__} cannot run the exported model; export it again.") from error
    lock = Lock()  # a request runs one inference at a time

    def run(pixels: Pixels) -> Outputs:
        count = len(pixels)
        size = 1 << (count - 1).bit_length()
        padding = np.zeros((size - count, *pixels.shape[1:]), np.uint8)
        padded = np.concatenate([pixels, padding]) if len(padding) else pixels
        with lock:
            if size not in requests:
                requests[size] = compile_for(size)
            outputs = requests[size].infer({0: padded}, share_inputs=True)
            return Outputs(**{port.any_name: output[:count].copy() for port, output in outputs.items()})

    return run
