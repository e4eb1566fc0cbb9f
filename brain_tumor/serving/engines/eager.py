"""Eager PyTorch: the reference. It runs the code that training ran, on the bundle's own weights."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import BundleError
from brain_tumor.models.protocol import features_and_logits
from brain_tumor.serving.architectures import build_network
from brain_tumor.serving.bundle import WEIGHTS, Bundle
from brain_tumor.serving.engines import Engine, Outputs, Pixels


class FromPixels(nn.Module):
    """A network with its normalisation in front, so that grey bytes are all it takes.

    Args:
        network: Takes normalised images.
        normalize: Bytes → normalised images.
        features: Yield them, too.
    """

    def __init__(self, network: nn.Module, normalize: Normalize, *, features: bool) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.normalize, self.features = normalize, features

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 [B, 1, H, W] → logits float32 [B, classes] and, if asked for, features float32 [B, D]."""
        images = self.normalize(pixels).contiguous(memory_format=torch.channels_last)
        if not self.features:
            return (self.network(images),)
        features, logits = features_and_logits(self.network, images)
        return logits, features


def network_of(bundle: Bundle) -> FromPixels:
    """A bundle's network with its weights, ready to answer.

    Raises:
        BundleError: The bundle is damaged, or names a network that is not allowed.
    """
    content = bundle.read(WEIGHTS)
    try:
        network = build_network(bundle.architecture, bundle.arguments, len(bundle.classes))
        network.load_state_dict(load(content))
    except BundleError as error:
        raise BundleError(f"{bundle.folder} cannot be used: {error}.") from error
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{bundle.folder / WEIGHTS} does not hold the weights of this architecture; copy the whole bundle again."
        ) from error
    return FromPixels(network, Normalize(bundle.mean, bundle.std), features=bundle.ood_detector is not None).eval()


def open_bundle(bundle: Bundle, threads: int | None = None) -> Engine:
    """Open a bundle's network; ``threads`` are set for the whole process, None leaves them as they are.

    Raises:
        BundleError: As `network_of`.
    """
    network = network_of(bundle)
    if threads is not None:
        torch.set_num_threads(threads)

    def run(pixels: Pixels) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(part.float().numpy() for part in network(torch.from_numpy(pixels))))

    return run
