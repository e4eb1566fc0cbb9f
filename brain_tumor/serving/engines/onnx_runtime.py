"""ONNX Runtime on the CPU."""

import onnxruntime as ort

from brain_tumor.errors import BundleError
from brain_tumor.serving.engines import Engine, Outputs, Pixels


def open_model(content: bytes, precision: str, threads: int) -> Engine:  # noqa: ARG001 - all engines have this signature
    """Open an ONNX model, whose tensors determine the precision.

    Operators run one after the other, each with all threads. Idle threads spin between operators, which is faster than
    sleeping.

    Args:
        content: Content of the ONNX file.
        precision: Ignored.
        threads: Number of threads per call.

    Raises:
        BundleError: This version of ONNX Runtime cannot run the model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base class
        raise BundleError(
            f"onnxruntime {ort.__version__} cannot run the exported model ({_reason(error)}); export it again."
        ) from error
    (source,), names = session.get_inputs(), [output.name for output in session.get_outputs()]

    def run(pixels: Pixels) -> Outputs:
        return Outputs(**dict(zip(names, session.run(None, {source.name: pixels}), strict=True)))

    return run


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
