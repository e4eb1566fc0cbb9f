import numpy as np
import pytest
import torch
from torch import nn

from brain_tumor.evaluation.explain.saliency import feature_map_layer, saliency, to_feature_maps
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone

SIDE, PATCH = 64, 16


class Attend(nn.Module):
    """A block that adds the mean of the patches to the class token."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.Identity()

    def forward(self, tokens):
        normed = self.norm1(tokens)
        return torch.cat([tokens[:, :1] + normed[:, 1:].mean(1, keepdim=True), tokens[:, 1:]], dim=1)


class BrightnessTransformer(nn.Module):
    """A transformer with known weights: its logits are the mean brightness and its negative."""

    def __init__(self, channels=3):
        super().__init__()
        self.global_pool, self.num_prefix_tokens = "token", 1
        self.feature_info = [{"module": "blocks.0", "num_chs": channels}]
        self.embed = nn.Conv2d(1, channels, PATCH, PATCH, bias=False)
        self.blocks = nn.Sequential(Attend())
        self.norm = nn.Identity()
        self.head = nn.Linear(channels, 2, bias=False)
        with torch.no_grad():
            self.embed.weight.zero_()[0].fill_(1 / PATCH**2)
            self.head.weight.zero_()[:, 0] = torch.tensor([1.0, -1.0])

    def forward(self, images):
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.zeros_like(patches[:, :1]), patches], dim=1)
        return self.head(self.norm(self.blocks(tokens))[:, 0])


def planted(place):
    images = torch.zeros(1, 1, SIDE, SIDE)
    y, x = (PATCH * each for each in place)
    images[0, 0, y : y + PATCH, x : x + PATCH] = 1
    return images


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 1)])
@pytest.mark.parametrize("method", ["hirescam", "gradcam"])
def test_maps_of_tokens_highlight_the_deciding_patch(place, method):
    [heatmap] = saliency(BrightnessTransformer(), planted(place), torch.tensor([0]), method).numpy()

    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert (y // PATCH, x // PATCH) == place
    tile = heatmap.reshape(4, PATCH, 4, PATCH).mean((1, 3))
    assert tile[place] > 0.5
    assert np.sort(tile.ravel())[-2] < 0.4


def test_tokens_against_a_class_have_empty_maps():
    assert (saliency(BrightnessTransformer(), planted((1, 1)), torch.tensor([1])) == 0).all()


def test_evidence_of_tokens_adds_up_to_the_logit():
    network, images = BrightnessTransformer(), torch.rand(1, 1, SIDE, SIDE)
    outputs = []
    network.blocks[0].norm1.register_forward_hook(lambda *call: outputs.append(call[2]))
    logit = network(images)[0, 0]
    [gradient] = torch.autograd.grad(logit, outputs[0])

    torch.testing.assert_close(to_feature_maps(outputs[0] * gradient, network).sum(), logit)


def test_evidence_before_a_layer_norm_vanishes():
    """Euler: a norm's output does not change with the scale of its input, so features × gradient sum to 0 there."""
    torch.manual_seed(0)
    swin = timm_backbone("swin_tiny_patch4_window7_224", 3, SIDE, pretrained=False).eval()
    outputs = []
    swin.layers.register_forward_hook(lambda *call: outputs.append(call[2]))
    swin.norm.register_forward_hook(lambda *call: outputs.append(call[2]))
    evidence = swin(torch.randn(1, 3, SIDE, SIDE))[0, 1] - swin.head.fc.bias[1]
    before, behind = (
        (output * gradient).sum(-1)
        for output, gradient in zip(outputs, torch.autograd.grad(evidence, outputs), strict=True)
    )

    assert before.abs().max() < 1e-3 * behind.abs().max()
    torch.testing.assert_close(behind.sum(), evidence, rtol=1e-3, atol=1e-4)
    assert feature_map_layer(swin) is swin.norm


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vit_tiny_patch16_224", "blocks.11.norm1"),
        ("deit_tiny_distilled_patch16_224", "blocks.11.norm1"),
        ("vit_wee_patch16_reg1_gap_256", "blocks.13"),
        ("swin_tiny_patch4_window7_224", "norm"),
        ("convnext_atto", "stages.3"),
        ("resnet10t", "layer4"),
    ],
)
def test_each_kind_of_network_has_a_layer_and_maps(name, layer):
    torch.manual_seed(0)
    network = timm_backbone(name, 3, SIDE, pretrained=False).eval()
    images = torch.randn(2, 3, SIDE, SIDE)
    outputs = []
    selected = feature_map_layer(network)
    hook = selected.register_forward_hook(lambda *call: outputs.append(call[2]))
    predicted = network(images).argmax(1)
    hook.remove()

    heats = saliency(network, images, predicted)

    assert selected is network.get_submodule(layer)
    maps = to_feature_maps(outputs[0], network)
    assert maps.shape[0] == 2
    assert maps.shape[2] == maps.shape[3]
    assert heats.amax((1, 2)).tolist() == pytest.approx([1, 1])


def test_maps_of_a_trained_transformer_highlight_the_square():
    """timm's transformer with two blocks and averaged tokens, trained for seconds."""
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(
        img_size=32, patch_size=8, in_chans=1, num_classes=2, embed_dim=32, depth=2, num_heads=2, global_pool="avg"
    )
    generator = torch.Generator().manual_seed(1)
    places = torch.randint(0, 16, (256,), generator=generator)
    classes = torch.arange(256) % 2
    images = 0.3 * torch.randn(256, 1, 32, 32, generator=generator)
    for image, place, present in zip(images, places.tolist(), classes.tolist(), strict=True):
        y, x = 8 * (place // 4), 8 * (place % 4)
        image[0, y : y + 8, x : x + 8] += 2.0 * present
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for epoch in range(12):
        for rows in torch.randperm(256, generator=torch.Generator().manual_seed(epoch)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), classes[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        assert (network.eval()(images).argmax(1) == classes).float().mean() > 0.95

    heats = saliency(network, images[1::2], classes[1::2])

    tiles = heats.unflatten(1, (4, 8)).unflatten(3, (4, 8)).mean((2, 4)).flatten(1)
    assert (tiles.argmax(1) == places[1::2]).float().mean() > 0.9


def test_outputs_without_locations():
    network = BrightnessTransformer()

    assert to_feature_maps(torch.zeros(2, 18, 3), network) is None  # 17 patches are no square
    assert to_feature_maps(torch.zeros(2, 3), network) is None
    assert to_feature_maps((torch.zeros(2, 17, 3),), network) is None
    assert to_feature_maps(torch.zeros(2, 17, 3), nn.Linear(3, 3)) is None
    assert feature_map_layer(nn.Linear(3, 3)) is None
    assert to_feature_maps(torch.zeros(2, 17, 3), network).shape == (2, 3, 4, 4)


def test_a_network_without_a_known_feature_map_uses_the_gradient():
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = torch.zeros(1, 1, 4, 4)

    [heatmap] = saliency(network, images, torch.tensor([1]))

    weights = network[1].weight[1].abs().reshape(4, 4)
    torch.testing.assert_close(heatmap, (weights / weights.max()).detach())


def test_grad_cam_is_hirescam_where_the_head_averages_and_not_elsewhere():
    torch.manual_seed(0)
    averaging = timm_backbone("resnet10t", 3, SIDE, pretrained=False).eval()
    maximum_too = SmallCNN(3, widths=(8, 16)).eval()
    classes = torch.tensor([0, 2])

    for network, channels, alike in ((averaging, 3, True), (maximum_too, 1, False)):
        images = torch.randn(2, channels, SIDE, SIDE)
        one, other = (saliency(network, images, classes, method) for method in ("hirescam", "gradcam"))
        assert torch.allclose(one, other, atol=1e-4) == alike
