"""Eager PyTorch, the reference engine: the network code that training runs, with the bundle's weights."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import BundleError
from brain_tumor.models.dry_run import dry_run
from brain_tumor.models.features import features_and_logits
from brain_tumor.models.protocol import memory_format
from brain_tumor.serving.architectures import build_network, package_of
from brain_tumor.serving.bundle import WEIGHTS, Bundle
from brain_tumor.serving.engines import Engine, Outputs, Pixels


def open_bundle(bundle: Bundle, threads: int | None = None) -> Engine:
    """Open a bundle's network.

    Args:
        bundle: Bundle with the network.
        threads: Number of threads of the whole process; None leaves it unchanged.

    Raises:
        BundleError, ConfigError: As `network_of`.
    """
    network = network_of(bundle)
    if threads is not None:
        torch.set_num_threads(threads)

    def run(pixels: Pixels) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(output.float().numpy() for output in network(torch.from_numpy(pixels))))

    return run


def network_of(bundle: Bundle) -> "UInt8Network":
    """Build a bundle's network, load its weights and set evaluation mode.

    Raises:
        BundleError: The bundle is damaged, or its network comes from a package that ``bundle.plugins`` does not name.
        ConfigError: A package that it names cannot be imported, or no longer holds the network that was trained.
    """
    content = bundle.read(WEIGHTS)
    try:
        network = build_network(bundle.architecture, bundle.arguments, len(bundle.classes), bundle.plugins)
        if package_of(bundle.architecture):
            dry_run(
                network,
                channels=len(bundle.mean),
                image_size=bundle.image_size,
                num_classes=len(bundle.classes),
            )
        network.load_state_dict(load(content))
    except BundleError as error:
        raise BundleError(f"{bundle.folder} cannot be used: {error}.") from error
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{bundle.folder / WEIGHTS} does not hold the weights of this architecture; copy the whole bundle again."
        ) from error
    return UInt8Network(network, Normalize(bundle.mean, bundle.std), features=bundle.ood_detector is not None).eval()


class UInt8Network(nn.Module):
    """A network preceded by its normalisation, so that its input is grey uint8 images.

    Args:
        network: Network that takes normalised images.
        normalize: Normalisation of uint8 images.
        features: Whether to return features too.
    """

    def __init__(self, network: nn.Module, normalize: Normalize, *, features: bool) -> None:
        super().__init__()
        self._format = memory_format(network)
        self.network = network.to(memory_format=self._format)
        self.normalize, self.features = normalize, features

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute logits float32 [B, classes] and, if enabled, features float32 [B, D] of uint8 [B, 1, H, W]."""
        images = self.normalize(pixels).contiguous(memory_format=self._format)
        if not self.features:
            return (self.network(images),)
        features, logits = features_and_logits(self.network, images)
        return logits, features
