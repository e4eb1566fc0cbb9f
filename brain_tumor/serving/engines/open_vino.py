"""OpenVINO on the CPU, straight from ONNX."""

from threading import Lock

import numpy as np

from brain_tumor.errors import BundleError
from brain_tumor.serving.architectures import hidden
from brain_tumor.serving.engines import Engine, Outputs, Pixels

with hidden("absl"):  # whose log handler closes streams that it does not own, once logging is configured anew
    import openvino as ov

_COMPUTE = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Precision → type of what is not quantised."""


def open_model(content: bytes, precision: str, threads: int) -> Engine:
    """Compile an ONNX model for latency.

    Batches are filled up to a power of two, for each of which the model is compiled when it is first needed: with the
    batch left open, quantised networks gave wrong logits (ResNet-18 with OpenVINO 2026.4).

    Raises:
        BundleError: It is no model that this version can run, or the CPU has no bfloat16.
    """
    core = ov.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BundleError("This CPU does not compute in bfloat16; take precision=fp32 or precision=int8.")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _COMPUTE[precision],
    }

    def compiled(batch: int) -> ov.InferRequest:
        model = core.read_model(content)
        model.reshape([batch, *model.input(0).partial_shape[1:]])
        return core.compile_model(model, "CPU", settings).create_infer_request()

    try:
        requests = {1: compiled(1)}
    except RuntimeError as error:
        raise BundleError(f"OpenVINO {ov.__version__} cannot run the exported model; export it again.") from error
    lock = Lock()  # a request holds one inference at a time

    def run(pixels: Pixels) -> Outputs:
        count = len(pixels)
        size = 1 << (count - 1).bit_length()
        filled = (
            pixels if size == count else np.concatenate([pixels, np.zeros((size - count, *pixels.shape[1:]), np.uint8)])
        )
        with lock:
            if size not in requests:
                requests[size] = compiled(size)
            found = requests[size].infer({0: filled}, share_inputs=True)
            return Outputs(*(part[:count].copy() for part in found.values()))

    return run
