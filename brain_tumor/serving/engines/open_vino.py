"""OpenVINO on the CPU, straight from ONNX."""

from threading import Lock

import openvino as ov

from brain_tumor.errors import BundleError
from brain_tumor.serving.engines import Engine, Logits, Pixels

_COMPUTE = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Precision → type of what is not quantised."""


def open_model(content: bytes, precision: str, threads: int) -> Engine:
    """Compile an ONNX model for latency.

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
    try:
        request = core.compile_model(core.read_model(content), "CPU", settings).create_infer_request()
    except RuntimeError as error:
        raise BundleError(f"OpenVINO {ov.__version__} cannot run the exported model; export it again.") from error
    lock = Lock()  # a request holds one inference at a time

    def run(pixels: Pixels) -> Logits:
        with lock:
            logits: Logits = request.infer({0: pixels}, share_inputs=True)[0]
        return logits

    return run
