"""ONNX Runtime on the CPU."""

import onnxruntime as ort

from brain_tumor.errors import BundleError
from brain_tumor.serving.engines import Engine, Outputs, Pixels


def open_model(content: bytes, precision: str, threads: int) -> Engine:  # noqa: ARG001 - as in other engines
    """Open an ONNX model; its precision is that of its own tensors.

    One call after another, each with all threads; they spin between the parts of a call, which is faster than sleeping.

    Raises:
        BundleError: It is no model that this version can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base of their own
        raise BundleError(
            f"onnxruntime {ort.__version__} cannot run the exported model ({_reason(error)}); export it again."
        ) from error
    (source,) = session.get_inputs()

    def run(pixels: Pixels) -> Outputs:
        return Outputs(*session.run(None, {source.name: pixels}))

    return run


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
