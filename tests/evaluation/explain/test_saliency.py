import copy

import numpy as np
import pytest
import torch
from torch import nn

from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.evaluation.explain.saliency import saliency
from brain_tumor.models.reference_cnn import ReferenceCNN
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone

SIZE, SQUARE = 64, 16


def planted(count, seed):
    """Noise float [N, 1, H, W], classes (is there a bright square?) and the squares' corners."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.3, (count, 1, SIZE, SIZE)).astype(np.float32)
    corners = rng.integers(0, SIZE - SQUARE, (count, 2))
    classes = np.arange(count) % 2
    for image, (y, x), present in zip(images, corners, classes, strict=True):
        image[0, y : y + SQUARE, x : x + SQUARE] += 2.0 * present
    return torch.from_numpy(images), torch.from_numpy(classes), corners


@pytest.fixture(scope="module")
def finder():
    """A network trained to distinguish images with and without a bright square."""
    torch.manual_seed(0)
    network = SmallCNN(2, widths=(8, 16, 16), dropout=0.0)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    images, classes, _ = planted(256, 1)
    for epoch in range(6):
        for rows in torch.randperm(256, generator=torch.Generator().manual_seed(epoch)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), classes[rows]).backward()
            optimizer.step()
    return network.eval()


def test_maps_highlight_the_deciding_pixels(finder):
    images, classes, corners = planted(40, 2)
    with torch.no_grad():
        assert (finder(images).argmax(1) == classes).float().mean() > 0.95

    maps = saliency(finder, images[1::2], classes[1::2]).numpy()

    inside, chance = [], (SQUARE / SIZE) ** 2
    for heat, (y, x) in zip(maps, corners[1::2], strict=True):
        inside.append(heat[y : y + SQUARE, x : x + SQUARE].sum() / heat.sum())
    assert np.mean(inside) > 4 * chance
    peaks = [np.unravel_index(heat.argmax(), heat.shape) for heat in maps]
    near = [
        np.abs(np.subtract(peak, corner) - SQUARE / 2).max() <= SQUARE
        for peak, corner in zip(peaks, corners[1::2], strict=True)
    ]
    assert np.mean(near) > 0.9


def test_maps_depend_on_the_weights(finder):
    """Adebayo et al. 2018: a map that does not change with random weights shows the image, not the network."""
    torch.manual_seed(5)
    untrained = SmallCNN(2, widths=(8, 16, 16), dropout=0.0)
    images, classes, _ = planted(20, 3)

    learnt, random = (saliency(network, images, classes).flatten(1).numpy() for network in (finder, untrained))

    correlations = [np.corrcoef(pair)[0, 1] for pair in zip(learnt[1::2], random[1::2], strict=True)]
    assert np.mean(correlations) < 0.8  # both highlight bright pixels, but differently


def test_a_head_of_zero_weights_has_empty_maps(finder):
    images, classes, _ = planted(4, 6)
    zero_head = copy.deepcopy(finder)
    nn.init.zeros_(zero_head.head.weight)

    assert saliency(finder, images, classes).amax((1, 2))[1::2].tolist() == pytest.approx([1, 1])
    assert (saliency(zero_head, images, classes) == 0).all()


def test_maps_depend_on_the_class(finder):
    images, classes, _ = planted(8, 4)

    assert not torch.allclose(saliency(finder, images, classes), saliency(finder, images, 1 - classes))


@pytest.mark.parametrize(
    "network",
    [
        lambda: SmallCNN(3),
        lambda: ReferenceCNN(3, SIZE),
        lambda: timm_backbone("resnet18", 3, SIZE, pretrained=False),
        lambda: timm_backbone("efficientnet_b0", 3, SIZE, pretrained=False),
        lambda: timm_backbone("convnext_atto", 3, SIZE, pretrained=False),
        lambda: timm_backbone("swin_tiny_patch4_window7_224", 3, 64, pretrained=False),
        lambda: timm_backbone("vit_tiny_patch16_224", 3, SIZE, pretrained=False),
    ],
    ids=["cnn", "reference_cnn", "resnet", "efficientnet", "convnext", "swin", "vit"],
)
def test_every_kind_of_network_has_maps(network):
    model = network().train()
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # like a frozen backbone
    channels = len(model.pretrained_cfg["mean"])
    images = torch.randn(2, channels, SIZE, SIZE)

    maps = saliency(model, images, torch.tensor([0, 2]))

    assert maps.shape == (2, SIZE, SIZE)
    assert not maps.requires_grad
    assert (maps >= 0).all()
    assert (maps.amax((1, 2)) <= 1 + 1e-6).all()
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_evidence_adds_up_to_the_logit():
    """HiResCAM on averaged features sums to the logit without its bias."""
    torch.manual_seed(0)
    model = timm_backbone("resnet10t", 3, SIZE, pretrained=False).eval()
    images = torch.randn(1, 3, SIZE, SIZE)
    outputs = []
    model.layer4.register_forward_hook(lambda *call: outputs.append(call[2]))
    evidence = model(images)[0] - model.fc.bias
    label = evidence.argmax()
    [gradient] = torch.autograd.grad(evidence[label], outputs[0])

    heatmap = saliency(model, images, label[None])

    products = (outputs[0] * gradient).sum(1)
    torch.testing.assert_close(products.sum(), evidence[label], rtol=1e-4, atol=1e-5)
    enlarged = nn.functional.interpolate(products.relu()[:, None], (SIZE, SIZE), mode="bilinear")[:, 0]
    torch.testing.assert_close(heatmap, (enlarged / enlarged.max()).detach())


def test_overlay_keeps_grey_where_the_map_is_zero():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    heat = np.zeros((8, 8), np.float32)
    heat[2, 3] = 1

    mixed = overlay(image, heat)

    assert (mixed.shape, mixed.dtype) == ((8, 8, 3), np.uint8)
    changed = (mixed != image[..., None]).any(axis=2)
    assert np.argwhere(changed).tolist() == [[2, 3]]
