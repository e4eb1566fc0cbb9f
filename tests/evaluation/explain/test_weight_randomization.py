import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from brain_tumor.data.normalize import Normalize
from brain_tumor.evaluation.explain.saliency import saliency_maps
from brain_tumor.evaluation.explain.weight_randomization import (
    map_similarity,
    progressively_randomized,
    weight_randomization_test,
)
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SmallCNN(3, widths=(8, 16, 16)).eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 64, 64), np.uint8)


def test_maps_that_do_not_change_fail(network, images):
    document = weight_randomization_test(network, lambda _: images.astype(np.float32))
    constant = weight_randomization_test(network, lambda _: np.ones((6, 64, 64), np.float32))

    assert not document["passed"]
    assert [step["similarity"] for step in document["steps"]] == [1.0] * len(document["steps"])
    assert "Do not interpret them" in document["verdict"]
    assert not constant["passed"]


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "gradient"])
def test_maps_of_the_network_pass(method, network, images):
    classes = np.arange(6) % 3

    document = weight_randomization_test(
        network, lambda other: saliency_maps(other, Normalize(), images, classes, method)
    )

    assert document["passed"]
    assert document["steps"][-1]["similarity"] < 0.5
    assert "depend on the weights" in document["verdict"]
    assert json.loads(json.dumps(document)) == document


def test_weights_become_random_from_the_head_down(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    steps = [
        (name, share, {key for key, value in copy.named_parameters() if not torch.equal(value, before[key])})
        for name, share, copy in progressively_randomized(network)
    ]

    assert [name for name, _, _ in steps] == ["head", "stages.2.0", "stages.1.0", "stages.0.0", "stem"]
    assert steps[0][2] == {"head.weight", "head.bias"}
    assert all(one < other for (_, _, one), (_, _, other) in pairwise(steps))
    assert steps[-1][1] == 1
    assert {name for name in before if name.endswith("0.weight")} <= steps[-1][2] | {"stem.1.weight"}
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_values_are_shuffled(network):
    *_, (_, _, copy) = progressively_randomized(network, seed=3)

    for (_, one), (_, other) in zip(network.named_parameters(), copy.named_parameters(), strict=True):
        torch.testing.assert_close(one.flatten().sort().values, other.flatten().sort().values)


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_timm_networks_have_stages_too(name):
    steps = list(progressively_randomized(timm_backbone(name, 2, 64, pretrained=False)))

    assert len(steps) > 4
    assert steps[-1][1] == pytest.approx(1)


def test_similarity_is_spearmans():
    rng = np.random.default_rng(0)
    one = np.round(rng.random((4, 8, 8)), 1).astype(np.float32)  # with ties
    other = np.round(one + rng.random((4, 8, 8)), 1).astype(np.float32)

    expected = np.mean([spearmanr(a, b, axis=None).statistic for a, b in zip(one, other, strict=True)])
    assert map_similarity(one, other) == pytest.approx(expected)
    assert map_similarity(one, np.zeros_like(one)) == 0
    assert map_similarity(one, -one) == pytest.approx(-1)
