"""A bundle's network as an ONNX model that takes grey bytes: normalisation is part of the graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import require_package
from brain_tumor.serving.engines.eager import network_of

PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"
"""Names of the model's input and outputs."""


def onnx_model(bundle: Bundle) -> bytes:
    """Export the network with a batch of any size: uint8 [B, 1, S, S] → logits float32 [B, classes].

    A bundle with a gate gets a second output, features float32 [B, D].

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
