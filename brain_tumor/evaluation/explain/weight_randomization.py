"""Sanity check of saliency maps by randomising the network's weights (Adebayo 2018, arXiv:1810.03292)."""

import copy
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import nn

from brain_tumor.evaluation.explain.saliency import SaliencyMaps
from brain_tumor.models.protocol import steps_below_head

MAX_SIMILARITY = 0.5
"""Rank correlation of the maps before and after randomisation of all weights must be below it."""


def weight_randomization_test(
    network: nn.Module, compute_maps: Callable[[nn.Module], SaliencyMaps], *, seed: int = 0
) -> dict[str, Any]:
    """Randomise the weights stage by stage, from the head down, and compare the saliency maps with the original ones.

    A method whose maps stay similar shows properties of the image rather than of the network, and fails. Weights are
    randomised by shuffling the values of each tensor, which keeps their distribution.

    Args:
        network: Trained network that follows `brain_tumor.models.protocol.Network`; it is not changed.
        compute_maps: Function network → maps float [N, S, S], of the same images and classes at each call.
        seed: Seed of the shuffling.

    Returns:
        JSON document: ``images, limit, steps [{"randomised", "weights" (share), "similarity"}], passed, verdict``. For
        ``similarity``, in [-1, 1], see `map_similarity`.
    """
    original = compute_maps(network)
    steps, last = [], 1.0
    for name, share, randomized in progressively_randomized(network, seed):
        last = map_similarity(original, compute_maps(randomized))
        steps.append({"randomised": name, "weights": share, "similarity": last})
    passed = last < MAX_SIMILARITY
    verdict = (
        f"The maps depend on the weights: after randomisation of all weights, their rank correlation is {last:.2f}."
        if passed
        else f"The maps hardly depend on the weights: after randomisation of all weights, their rank correlation is "
        f"still {last:.2f} (expected less than {MAX_SIMILARITY}). Do not interpret them."
    )
    return {"images": len(original), "limit": MAX_SIMILARITY, "steps": steps, "passed": passed, "verdict": verdict}


def map_similarity(first: SaliencyMaps, second: SaliencyMaps) -> float:
    """Compute the mean over images of Spearman's rank correlation of two maps [N, S, S], in [-1, 1].

    Equal maps have correlation 1, even if they are constant; a constant map and a different one have 0.
    """
    ranks = (np.stack([rankdata(image, axis=None) for image in maps]) for maps in (first, second))
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    product = (centred[0] * centred[1]).sum(axis=1)
    norm = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    equal = (first == second).all(axis=(1, 2))
    return float(np.where(equal, 1.0, np.where(norm > 0, product / np.where(norm > 0, norm, 1), 0.0)).mean())


def progressively_randomized(network: nn.Module, seed: int = 0) -> Iterator[tuple[str, float, nn.Module]]:
    """Shuffle the weights of a copy of a network, one stage after the other, from the head down.

    Yields:
        Name of the stage, share of all weights that are randomised so far, and the copy, which later steps change.
    """
    randomized = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    stages: dict[int, list[str]] = {}
    for name, steps in steps_below_head(randomized).items():
        stages.setdefault(steps, []).append(name)
    total, done = sum(parameter.numel() for parameter in randomized.parameters()), 0
    for steps in sorted(stages):
        for name in stages[steps]:
            parameter = randomized.get_parameter(name)
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
            done += parameter.numel()
        yield _common_prefix(stages[steps]), done / total, randomized


def _common_prefix(names: list[str]) -> str:
    """Return the module path that dotted parameter names share, or the first name's first part."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
    return ".".join(shared) or names[0].split(".")[0]
