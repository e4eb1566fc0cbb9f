"""Eager PyTorch, the reference engine: the network code that training runs, with the bundle's weights."""

from collections.abc import Sequence
from dataclasses import asdict

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import BundleError
from brain_tumor.models.features import all_outputs
from brain_tumor.models.protocol import memory_format
from brain_tumor.serving.architectures import build_whole
from brain_tumor.serving.bundle import WEIGHTS, Bundle
from brain_tumor.serving.engines import FEATURES, LOGITS, MAP, Engine, Outputs, Pixels


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
            found = [output.float().numpy() for output in network(torch.from_numpy(pixels))]
            return Outputs(**dict(zip(network.outputs, found, strict=True)))

    return run


def network_of(bundle: Bundle) -> "UInt8Network":
    """Build a bundle's network, load its weights and set evaluation mode.

    Raises:
        BundleError: The bundle is damaged, or its network comes from a package that ``bundle.plugins`` does not name.
        ConfigError: A package that it names cannot be imported, or no longer holds the network that was trained.
    """
    content = bundle.read(WEIGHTS)
    try:
        localizer = asdict(bundle.localizer) if bundle.localizer else None
        description = {"name": bundle.architecture, "arguments": bundle.arguments, "localizer": localizer}
        channels, size = len(bundle.mean), bundle.image_size
        network = build_whole(description, channels, size, len(bundle.classes), bundle.plugins)
        network.load_state_dict(load(content))
    except BundleError as error:
        raise BundleError(f"{bundle.folder} cannot be used: {error}.") from error
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{bundle.folder / WEIGHTS} does not hold the weights of this architecture; copy the whole bundle again."
        ) from error
    outputs = [LOGITS, *([FEATURES] if bundle.ood_detector else []), *([MAP] if bundle.has_map else [])]
    return UInt8Network(network, Normalize(bundle.mean, bundle.std), outputs).eval()


class UInt8Network(nn.Module):
    """A network preceded by its normalisation, so that its input is grey uint8 images.

    Args:
        network: Network that takes normalised images.
        normalize: Normalisation of uint8 images.
        outputs: Names of the outputs to return, of `brain_tumor.serving.engines.Outputs`.
    """

    def __init__(self, network: nn.Module, normalize: Normalize, outputs: Sequence[str]) -> None:
        super().__init__()
        self._format = memory_format(network)
        self.network = network.to(memory_format=self._format)
        self.normalize, self.outputs = normalize, tuple(outputs)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of uint8 [B, 1, H, W], in the order of ``outputs``."""
        images = self.normalize(pixels).contiguous(memory_format=self._format)
        if self.outputs == (LOGITS,):
            return (self.network(images),)
        found = all_outputs(self.network, images)._asdict()
        return tuple(found[name] for name in self.outputs)
