"""Where in a picture the evidence for a class lies, as far as gradients can tell."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Picture = npt.NDArray[np.uint8]
_STRONGEST = 0.6  # share of the colour where a map is 1


def saliency(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """A map of the evidence for one class per image.

    HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): the last feature map times the gradient of the class's logit,
    summed over channels, where it is positive. Where the head averages the map, this is Grad-CAM (Selvaraju et al.
    2017, arXiv:1610.02391); where it does not, Grad-CAM can point at places that were not used. A network that names
    no feature map (a transformer) gets the magnitude of the logit's gradient at the input (Simonyan et al. 2013,
    arXiv:1312.6034), which is noisier. Neither proves why a network decided: they are for finding shortcuts.

    Args:
        network: Names its last feature map as timm does, in ``feature_info``, or names none.
        images: float [B, C, H, W], as the network takes them.
        classes: int64 [B].

    Returns:
        float [B, H, W] in [0, 1], 1 at each map's maximum; zeros where nothing speaks for the class.
    """
    training, seen = network.training, []
    layer = _last_map(network)
    hook = layer.register_forward_hook(lambda *call: seen.append(call[2])) if layer else None
    network.eval()
    try:
        with torch.enable_grad():
            inputs = images.detach().clone().requires_grad_()  # else a frozen backbone leaves no graph
            logits = network(inputs)
            chosen = logits.gather(1, classes[:, None]).sum()
            features = _as_maps(seen[0], network) if seen else None
            if features is None:
                [gradient] = torch.autograd.grad(chosen, inputs)
                maps = gradient.abs().amax(dim=1)
            else:
                [gradient] = torch.autograd.grad(chosen, seen[0])
                products = _as_maps(seen[0] * gradient, network)
                assert products is not None  # noqa: S101, as features has the same shape
                maps = products.sum(dim=1).relu()
    finally:
        network.train(training)
        if hook:
            hook.remove()
    resized = nn.functional.interpolate(maps.detach().float()[:, None], images.shape[-2:], mode="bilinear")[:, 0]
    return resized / resized.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def overlay(picture: Picture, heat: npt.NDArray[np.float32]) -> Picture:
    """A grey picture uint8 [H, W] with its map [H, W] laid over it: uint8 [H, W, 3]; grey where the map is 0."""
    from matplotlib import colormaps

    colour = colormaps["inferno"](heat)[..., :3] * 255
    share = _STRONGEST * heat[..., None]
    mixed: Picture = ((1 - share) * picture[..., None] + share * colour).round().astype(np.uint8)
    return mixed


def _last(network: nn.Module) -> dict[str, Any]:
    """What timm's ``feature_info`` says of the last map."""
    entries = getattr(network, "feature_info", None) or [{}]
    return dict(entries[-1])


def _last_map(network: nn.Module) -> nn.Module | None:
    try:
        return network.get_submodule(_last(network).get("module") or "nowhere")
    except AttributeError:
        return None


def _as_maps(output: Any, network: nn.Module) -> Tensor | None:
    """A layer's output as [B, channels, h, w], whichever way round it is; None if it is no map."""
    if not isinstance(output, Tensor) or output.ndim != 4:
        return None
    channels = _last(network).get("num_chs")
    if output.shape[1] == channels:
        return output
    return output.permute(0, 3, 1, 2) if output.shape[3] == channels else None
