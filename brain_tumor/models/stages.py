"""How far each parameter is from the head: what layer-wise learning rates and staged unfreezing count by."""

from timm.models import group_parameters
from torch import nn


def steps_below_head(network: nn.Module) -> dict[str, int]:
    """Steps from each parameter up to the head: 0 for the head itself, 1 for the last stage, most for the stem.

    Args:
        network: See `brain_tumor.models.network.Network`.
    """
    head = {id(parameter) for parameter in network.get_classifier().parameters()}  # type: ignore[operator]
    depths: dict[str, int] = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # type: ignore[operator]
    deepest = max(depth for name, depth in depths.items() if id(network.get_parameter(name)) not in head)
    return {
        name: 0 if id(network.get_parameter(name)) in head else deepest - depth + 1 for name, depth in depths.items()
    }
