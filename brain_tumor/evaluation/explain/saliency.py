"""Saliency maps: where in an image the evidence for a class lies, as far as gradients can tell."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from brain_tumor.data.normalize import Normalize
from brain_tumor.types import GreyImage


def map_layer(network: nn.Module) -> nn.Module | None:
    """The layer whose output is the last that has places, None if it cannot be told.

    That is the last in timm's ``feature_info``, but for two kinds of transformers. Where a layer norm follows (Swin) it
    is that norm: what enters it can be scaled at any place without changing anything behind, so that features times
    their gradient add up to nothing there. Where only a class token is read out (ViT) it is what enters the last
    attention: behind it no patch has any part in the answer.
    """
    blocks = getattr(network, "blocks", None)
    if getattr(network, "global_pool", None) == "token" and isinstance(blocks, nn.Sequential):
        entering = getattr(blocks[-1], "norm1", None)
        return entering if isinstance(entering, nn.Module) else None
    norm = getattr(network, "norm", None)
    if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity):
        return norm
    try:
        return network.get_submodule(_last(network).get("module") or "nowhere")
    except AttributeError:
        return None


def as_maps(output: Any, network: nn.Module) -> Tensor | None:
    """A layer's output as [B, channels, h, w], whichever way round it is; None if it is no map.

    It may be [B, channels, h, w], [B, h, w, channels], or [B, tokens, channels] with the tokens of a square image
    after ``num_prefix_tokens`` others.
    """
    channels = _last(network).get("num_chs")
    if not isinstance(output, Tensor) or channels is None:
        return None
    if output.ndim == 4 and output.shape[1] == channels:
        return output
    if output.ndim == 3 and output.shape[2] == channels:
        patches = output[:, getattr(network, "num_prefix_tokens", 0) :]
        side = math.isqrt(patches.shape[1])
        if side and side**2 == patches.shape[1]:
            output = patches.reshape(len(patches), side, side, channels)
    return output.permute(0, 3, 1, 2) if output.ndim == 4 and output.shape[3] == channels else None


def _last(network: nn.Module) -> dict[str, Any]:
    """What timm's ``feature_info`` says of the last map."""
    entries = getattr(network, "feature_info", None) or [{}]
    return dict(entries[-1])


Heat = npt.NDArray[np.float32]
Method = Literal["hirescam", "gradcam", "gradient"]
_STRONGEST = 0.6  # share of the colour where a map is 1


def saliency(network: nn.Module, images: Tensor, classes: Tensor, method: Method = "hirescam") -> Tensor:
    """A map of the evidence for one class per image; features and gradients come from captum.

    - ``hirescam`` (Draelos & Carin 2020, arXiv:2011.08891): the last feature map times the gradient of the class's
      logit, summed over channels, where it is positive. Nothing lights up that was not used.
    - ``gradcam`` (Selvaraju et al. 2017, arXiv:1610.02391): the same with the gradient averaged over places. It is the
      same where the head averages the map; where it does not, it can point at places that were not used.
    - ``gradient`` (Simonyan et al. 2013, arXiv:1312.6034): the magnitude of the logit's gradient at the input, which is
      noisier. A network whose feature map is not known (see `map_layer`) gets it whatever is asked for.

    None of them proves why a network decided: they are for finding shortcuts. Which of them points at tumours differs
    from network to network, transformers above all, whose patches mix:
    `brain_tumor.evaluation.explain.pointing_game` measures it.

    Args:
        network: Names its last feature map as timm does.
        images: float [B, C, H, W], as the network takes them.
        classes: int64 [B].
        method: One of the three.

    Returns:
        float [B, H, W] in [0, 1], 1 at each map's maximum; zeros where nothing speaks for the class.
    """
    training = network.training
    network.eval()
    try:
        inputs = images.detach().clone().requires_grad_()  # else a frozen backbone leaves no graph
        maps = None if method == "gradient" else _feature_evidence(network, inputs, classes, method)
        if maps is None:
            maps = _input_gradient(network, inputs, classes)
    finally:
        network.train(training)
    resized = nn.functional.interpolate(maps.detach().float()[:, None], images.shape[-2:], mode="bilinear")[:, 0]
    return resized / resized.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def heat_maps(
    network: nn.Module,
    normalize: Normalize,
    images: GreyImage,
    classes: npt.NDArray[np.int64],
    method: Method = "hirescam",
    batch_size: int = 32,
) -> Heat:
    """`saliency` of grey images.

    Args:
        network: Takes normalised images, on any device.
        normalize: Bytes → normalised images.
        images: uint8 [N, S, S].
        classes: int64 [N], whose evidence is asked for.
        method: See `saliency`.
        batch_size: Images at once.

    Returns:
        float32 [N, S, S] in [0, 1].
    """
    device = next(network.parameters()).device
    heats = np.empty(images.shape, np.float32)
    for first in range(0, len(images), batch_size):
        part = slice(first, first + batch_size)
        inputs = normalize(torch.from_numpy(np.array(images[part]))[:, None].to(device))
        heats[part] = saliency(network, inputs, torch.from_numpy(classes[part]).to(device), method).cpu().numpy()
    return heats


def overlay(image: GreyImage, heat: Heat) -> GreyImage:
    """A grey image uint8 [H, W] with its map [H, W] laid over it: uint8 [H, W, 3]; grey where the map is 0."""
    from matplotlib import colormaps

    colour = colormaps["inferno"](heat)[..., :3] * 255
    share = _STRONGEST * heat[..., None]
    mixed: GreyImage = ((1 - share) * image[..., None] + share * colour).round().astype(np.uint8)
    return mixed


def _feature_evidence(network: nn.Module, inputs: Tensor, classes: Tensor, method: Method) -> Tensor | None:
    """HiResCAM or Grad-CAM, float [B, h, w] from 0; None where the network has no map that is known."""
    from captum.attr import LayerActivation, LayerGradientXActivation

    layer = map_layer(network)
    if layer is None:
        return None
    cam = method == "gradcam"
    gradient = LayerGradientXActivation(network, layer, multiply_by_inputs=not cam).attribute(inputs, classes)
    maps = as_maps(gradient, network)
    if maps is not None and cam:
        features = as_maps(LayerActivation(network, layer).attribute(inputs), network)
        assert features is not None  # noqa: S101, as it has the gradient's shape
        maps = maps.mean((2, 3), keepdim=True) * features
    return None if maps is None else maps.sum(dim=1).relu()


def _input_gradient(network: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    from captum.attr import Saliency

    gradient: Tensor = Saliency(network).attribute(inputs, classes)
    return gradient.amax(dim=1)
