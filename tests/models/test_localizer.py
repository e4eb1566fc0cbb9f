"""The localizer: any backbone, its map, and the loss that trains the map on masks."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from brain_tumor.errors import ConfigError
from brain_tumor.models.features import all_outputs
from brain_tumor.models.localizer import LocalizedNetwork
from brain_tumor.models.map_loss import MapLoss, mask_channels
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.optim import parameter_groups
from brain_tumor.models.protocol import Localizer, backbone_of, channel_statistics, steps_below_head
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone
from brain_tumor.types import UNKNOWN_MASK

BACKBONES = {
    "small_cnn": (lambda: SmallCNN(3, widths=(8, 16, 16, 16)), 64, 8),
    "resnet18": (lambda: timm_backbone("resnet18", 3, 64, pretrained=False), 64, 8),
    "mobilenetv2_100": (lambda: timm_backbone("mobilenetv2_100", 3, 64, pretrained=False), 64, 8),
    "convnext_atto": (lambda: timm_backbone("convnext_atto", 3, 64, pretrained=False), 64, 8),
    "vit_tiny": (lambda: timm_backbone("vit_tiny_patch16_224", 3, 64, pretrained=False), 64, 4),
    "swin_tiny": (lambda: timm_backbone("swin_tiny_patch4_window7_224", 3, 64, pretrained=False), 64, 8),
    "distilled": (lambda: timm_backbone("deit_tiny_distilled_patch16_224", 3, 64, pretrained=False), 64, 4),
}
"""Name → (function that builds the backbone, image size, cells per side of the map)."""


def localized(build, size, **options):
    backbone = build()
    channels = len(channel_statistics(backbone)[0])
    return LocalizedNetwork(backbone, 3, torch.zeros(1, channels, size, size), width=8, **options), channels


@pytest.mark.parametrize(("build", "size", "cells"), BACKBONES.values(), ids=BACKBONES)
class TestBackbones:
    def test_gives_logits_a_map_and_features_in_one_pass(self, build, size, cells):
        network, channels = localized(build, size)
        images = torch.rand(2, channels, size, size)

        with torch.no_grad():
            features, logits, found = all_outputs(network.eval(), images)
            alone = network(images)

        assert isinstance(network, Localizer)
        assert logits.shape == (2, 3)
        assert found.shape == (2, cells, cells)
        assert features.shape[0] == 2
        torch.testing.assert_close(logits, alone)

    def test_every_parameter_is_trained(self, build, size, cells):
        network, channels = localized(build, size)
        images, masks = torch.rand(2, channels, size, size), torch.zeros(2, size, size, dtype=torch.uint8)
        masks[0, 8:24, 8:24] = 1
        _, logits, found = network.train().outputs(images)
        loss = cross_entropy(logits, torch.tensor([0, 1])) + MapLoss()(found, mask_channels(masks))
        loss.backward()

        assert {name for name, each in network.named_parameters() if each.grad is None} == set()

    def test_stages_are_those_of_the_backbone_and_the_rest_is_the_head(self, build, size, cells):
        network, _ = localized(build, size)
        steps, own = steps_below_head(network), steps_below_head(backbone_of(network))

        assert set(steps) == {name for name, _ in network.named_parameters()}
        assert {name: steps[f"backbone.{name}"] for name in own} == own
        assert all(steps[name] == 0 for name in steps if not name.startswith("backbone."))
        assert len(parameter_groups(network, 1e-3, 0.05, head_lr=1e-2, layer_decay=0.5)) > 2


def test_a_finer_map():
    network, _ = localized(BACKBONES["resnet18"][0], 64, stride=4)
    assert network.eval().outputs(torch.zeros(1, 3, 64, 64)).map.shape == (1, 16, 16)


def test_a_network_without_feature_maps_is_refused():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    with pytest.raises(ConfigError, match="localizer=map needs a network that gives the feature maps of its stages"):
        LocalizedNetwork(network, 3, torch.zeros(1, 1, 4, 4))


def test_weights_follow_the_map():
    """What lies where the map is certain decides: the joined features are an average that the map weights."""
    network, channels = localized(BACKBONES["small_cnn"][0], 64)
    network.eval()
    images = torch.rand(1, channels, 64, 64)
    torch.nn.init.zeros_(network.cells.weight)
    torch.nn.init.constant_(network.cells.bias, 20.0)
    seen = []
    network.join.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))

    network.head.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))

    with torch.no_grad():
        network(images)

    torch.testing.assert_close(seen[1][:, -8:], seen[0].mean((2, 3)))


def masks_of(*kinds):
    """Masks uint8 [B, 16, 16]: with a tumour, empty, or unknown."""
    masks = torch.zeros(len(kinds), 16, 16, dtype=torch.uint8)
    for mask, kind in zip(masks, kinds, strict=True):
        if kind == "tumour":
            mask[4:10, 3:9] = 1
        elif kind == "unknown":
            mask[:] = UNKNOWN_MASK
    return masks


class TestMapLoss:
    def test_equals_a_plain_computation(self):
        cells = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
        masks = masks_of("tumour", "none")
        target = torch.from_numpy((masks.numpy() == 1).reshape(2, 4, 4, 4, 4).mean(axis=(2, 4))).float()
        p = cells.sigmoid().double().numpy()
        t = target.double().numpy()
        dice = (2 * (p[0] * t[0]).sum() + 1) / (p[0].sum() + t[0].sum() + 1)

        loss = MapLoss(bce=3.0, dice=2.0)(cells, mask_channels(masks))

        expected = 3 * binary_cross_entropy_with_logits(cells, target) + 2 * (1 - dice)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)

    def test_unknown_masks_do_not_count(self):
        cells = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
        alone = MapLoss()(cells[:2], mask_channels(masks_of("tumour", "none")))
        loss = MapLoss()(cells, mask_channels(masks_of("tumour", "none", "unknown")))
        loss.backward()

        assert loss.item() == pytest.approx(alone.item(), rel=1e-6)
        assert cells.grad[2].abs().max() == 0

    def test_no_known_mask_gives_no_loss(self):
        assert MapLoss()(torch.randn(2, 4, 4), mask_channels(masks_of("unknown", "unknown"))).item() == 0

    def test_a_perfect_map_costs_nothing(self):
        masks = masks_of("tumour")
        masks[:, 4:10, 3:9], masks[:, 4:8, 4:8] = 0, 1
        cells = torch.full((1, 4, 4), -30.0)
        cells[0, 1, 1] = 30.0
        assert MapLoss()(cells, mask_channels(masks)).item() == pytest.approx(0, abs=1e-5)

    def test_negative_weights_are_refused(self):
        with pytest.raises(ConfigError, match=r"localizer\.loss\.bce=-1"):
            MapLoss(bce=-1)


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}])
def test_masks_are_mixed_as_images_are(options):
    masks = masks_of("tumour", "none", "tumour", "unknown")
    channels = mask_channels(masks)
    images = channels[:, :1].repeat(1, 3, 1, 1)  # images that show their own masks
    torch.manual_seed(3)
    mixed, targets, mixed_channels = Mixing(3, **options).with_masks(images, torch.tensor([0, 1, 2, 0]), channels)

    torch.testing.assert_close(mixed[:, :1], mixed_channels[:, :1])
    assert targets.shape == (4, 3)
    assert mixed_channels[:, 1].unique().numel() > 1


def test_masks_are_shrunk_with_small_images():
    """Progressive resizing: images are smaller than masks."""
    channels = mask_channels(masks_of("tumour", "none"))
    small = torch.zeros(2, 1, 8, 8)
    _, _, mixed = Mixing(3, mixup=0.4).with_masks(small, torch.tensor([0, 1]), channels)

    assert mixed.shape == (2, 2, 8, 8)
    assert mixed[:, 0].sum().item() == pytest.approx(36 / 4, rel=1e-5)
    np.testing.assert_array_equal(mixed[:, 1], 1)
