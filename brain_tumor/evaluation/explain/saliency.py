"""Saliency maps: the location of the evidence for a class in an image, as far as gradients show it."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from brain_tumor.data.normalize import Normalize
from brain_tumor.evaluation.map_boxes import enlarge
from brain_tumor.models.features import all_outputs
from brain_tumor.models.protocol import backbone_of
from brain_tumor.types import GreyImage, Rows

SaliencyMaps = npt.NDArray[np.float32]
"""One saliency map [H, W], or several [N, H, W], in [0, 1]."""
Method = Literal["hirescam", "gradcam", "gradient"]


def saliency_maps(
    network: nn.Module,
    normalize: Normalize,
    images: GreyImage,
    classes: Rows,
    method: Method = "hirescam",
    batch_size: int = 32,
) -> SaliencyMaps:
    """Compute the `saliency` of grey images, batch by batch.

    Args:
        network: Network that takes normalised images, on any device.
        normalize: Normalisation of uint8 images.
        images: Images, uint8 [N, S, S].
        classes: Class of each image whose evidence is mapped, int64 [N].
        method: Method, see `saliency`.
        batch_size: Number of images per batch.

    Returns:
        float32 [N, S, S] in [0, 1].
    """
    weights = next(network.parameters())
    device = weights.device
    maps = np.empty(images.shape, np.float32)
    for first in range(0, len(images), batch_size):
        batch = slice(first, first + batch_size)
        inputs = normalize(torch.from_numpy(np.array(images[batch]))[:, None].to(device)).to(weights.dtype)
        maps[batch] = saliency(network, inputs, torch.from_numpy(classes[batch]).to(device), method).cpu().numpy()
    return maps


def localizer_maps(network: nn.Module, normalize: Normalize, images: GreyImage, batch_size: int = 32) -> SaliencyMaps:
    """Compute the maps of a localizer or an ensemble of them: the probability of tumour at each pixel.

    Args:
        network: Network with a map, on any device.
        normalize: Normalisation of uint8 images.
        images: Images, uint8 [N, S, S].
        batch_size: Number of images per batch.

    Returns:
        float32 [N, S, S] in [0, 1].
    """
    device, training = next(network.parameters()).device, network.training
    network.eval()
    maps = np.empty(images.shape, np.float32)
    for first in range(0, len(images), batch_size):
        batch = slice(first, first + batch_size)
        inputs = normalize(torch.from_numpy(np.array(images[batch]))[:, None].to(device))
        with torch.inference_mode():
            cells = all_outputs(network, inputs).map
        assert cells is not None  # noqa: S101 - the caller knows that the network has a map
        maps[batch] = np.stack([enlarge(each, images.shape[-1]) for each in cells.float().cpu().numpy()])
    network.train(training)
    return maps


def saliency(network: nn.Module, images: Tensor, classes: Tensor, method: Method = "hirescam") -> Tensor:
    """Compute a map of the evidence for one class per image; features and gradients come from captum.

    - ``hirescam`` (Draelos & Carin 2020, arXiv:2011.08891): the last feature map × the gradient of the class's logit,
      summed over channels, where positive. Only locations that the network used are highlighted.
    - ``gradcam`` (Selvaraju et al. 2017, arXiv:1610.02391): the same with the gradient averaged over locations. It
      equals HiResCAM if the head averages the feature map; otherwise it can highlight locations that were not used.
    - ``gradient`` (Simonyan et al. 2013, arXiv:1312.6034): the magnitude of the logit's gradient at the input, which is
      noisier. It is used for every network whose feature map is unknown, see `feature_map_layer`.

    None of them proves why a network decided: they help to find shortcuts. Which of them highlights tumours depends on
    the network, most of all for transformers, whose attention mixes patches:
    `brain_tumor.evaluation.explain.pointing_game` measures it.

    Args:
        network: Network that names its last feature map in ``feature_info``, as timm does.
        images: Normalised images, float [B, C, H, W].
        classes: Class of each image, int64 [B].
        method: ``hirescam``, ``gradcam`` or ``gradient``.

    Returns:
        float [B, H, W] in [0, 1], with maximum 1; zeros where there is no evidence for the class.
    """
    training = network.training
    network.eval()
    try:
        inputs = images.detach().clone().requires_grad_()  # without it a frozen backbone has no graph
        maps = None if method == "gradient" else _class_activation(network, inputs, classes, method)
        if maps is None:
            maps = _input_gradient(network, inputs, classes)
    finally:
        network.train(training)
    resized = nn.functional.interpolate(maps.detach().float()[:, None], images.shape[-2:], mode="bilinear")[:, 0]
    return resized / resized.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def map_grid(network: nn.Module, images: Tensor) -> tuple[int, int] | None:
    """Return the number of cells of the feature map, (height, width), that maps of `saliency` are enlarged from.

    Args:
        network: Network.
        images: Normalised images, float [B, C, H, W].

    Returns:
        None if the feature map is unknown; maps then have one cell per pixel.
    """
    from captum.attr import LayerActivation

    layer = feature_map_layer(network)
    if layer is None:
        return None
    training = network.training
    network.eval()
    try:
        features = to_feature_maps(LayerActivation(network, layer).attribute(images[:1]), network)
    except AssertionError:  # captum's, for a layer that the network does not call
        return None
    finally:
        network.train(training)
    return None if features is None else (int(features.shape[-2]), int(features.shape[-1]))


def _class_activation(network: nn.Module, inputs: Tensor, classes: Tensor, method: Method) -> Tensor | None:
    """Compute HiResCAM or Grad-CAM, float [B, h, w], at least 0; None if the feature map is unknown."""
    from captum.attr import LayerActivation, LayerGradientXActivation

    layer = feature_map_layer(network)
    if layer is None:
        return None
    cam = method == "gradcam"
    try:
        gradient = LayerGradientXActivation(network, layer, multiply_by_inputs=not cam).attribute(inputs, classes)
    except AssertionError:  # captum's, for a layer that the network does not call, or calls without a gradient
        return None
    maps = to_feature_maps(gradient, network)
    if maps is not None and cam:
        features = to_feature_maps(LayerActivation(network, layer).attribute(inputs), network)
        assert features is not None  # noqa: S101 - it has the shape of the gradient
        maps = maps.mean((2, 3), keepdim=True) * features
    return None if maps is None else maps.sum(dim=1).relu()


def _input_gradient(network: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    from captum.attr import Saliency

    gradient: Tensor = Saliency(network).attribute(inputs, classes)
    return gradient.amax(dim=1)


def feature_map_layer(network: nn.Module) -> nn.Module | None:
    """Find the last layer whose output has spatial locations; None if it is unknown.

    This is the last entry of timm's ``feature_info``, except for two kinds of transformers. If a layer norm follows
    (Swin) it is that norm: the output does not change if the norm's input is scaled at a location, so that features ×
    gradient add up to 0 there. If the head uses a class token only (ViT) it is the input of the last attention: later
    layers do not pass information from the patches to the token.
    """
    network = backbone_of(network)
    blocks = getattr(network, "blocks", None)
    if getattr(network, "global_pool", None) == "token" and isinstance(blocks, nn.Sequential):
        attention_input = getattr(blocks[-1], "norm1", None)
        return attention_input if isinstance(attention_input, nn.Module) else None
    norm = getattr(network, "norm", None)
    if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity):
        return norm
    name = _last_feature_info(network).get("module")
    try:
        return network.get_submodule(name) if name else None
    except AttributeError:
        return None


def to_feature_maps(output: Any, network: nn.Module) -> Tensor | None:
    """Convert a layer's output to [B, channels, h, w]; None if it has no spatial locations.

    Args:
        output: Output of a layer: [B, channels, h, w], [B, h, w, channels], or [B, tokens, channels] with
            ``num_prefix_tokens`` tokens followed by those of a square grid.
        network: Network of the layer.
    """
    channels = _last_feature_info(network).get("num_chs")
    if not isinstance(output, Tensor) or channels is None:
        return None
    if output.ndim == 4 and output.shape[1] == channels:
        return output
    if output.ndim == 3 and output.shape[2] == channels:
        patches = output[:, getattr(backbone_of(network), "num_prefix_tokens", 0) :]
        side = math.isqrt(patches.shape[1])
        if side and side**2 == patches.shape[1]:
            output = patches.reshape(len(patches), side, side, channels)
    return output.permute(0, 3, 1, 2) if output.ndim == 4 and output.shape[3] == channels else None


def _last_feature_info(network: nn.Module) -> dict[str, Any]:
    entries = getattr(backbone_of(network), "feature_info", None) or [{}]
    return dict(entries[-1])
