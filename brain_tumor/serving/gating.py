"""A bundle's gate against foreign images, and what it says of an engine's outputs."""

import numpy as np
import numpy.typing as npt

from brain_tumor.errors import BundleError
from brain_tumor.evaluation.ood.gate import Gate
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import Outputs


def open_gate(bundle: Bundle) -> Gate | None:
    """The gate in a bundle, if it has one.

    Raises:
        BundleError: It is damaged.
    """
    if bundle.gate is None:
        return None
    try:
        return Gate.from_bytes(bundle.read(bundle.gate.file))
    except ValueError as error:
        raise BundleError(
            f"{bundle.folder / bundle.gate.file} holds no gate ({error}); copy the whole bundle again."
        ) from error


def measure(gate: Gate, outputs: Outputs, bundle: Bundle) -> npt.NDArray[np.float64]:
    """Foreignness float64 [B]; above 0 is foreign.

    Raises:
        BundleError: As `features_for`.
    """
    return gate.foreignness(features_for(gate, outputs, bundle), outputs.logits)


def features_for(gate: Gate, outputs: Outputs, bundle: Bundle) -> npt.NDArray[np.float32]:
    """Features [B, D] as a gate needs them.

    Raises:
        BundleError: The gate was fitted on another network than that which the engine runs.
    """
    wanted = gate.normal.centre.size
    if outputs.features is None or outputs.features.shape[1] != wanted:
        found = "no" if outputs.features is None else outputs.features.shape[1]
        raise BundleError(
            f"The gate of {bundle.folder} needs {wanted} features and the engine yields {found}; "
            "export the model again, or train it again."
        )
    return outputs.features
