"""Does a saliency method look at the network at all? Weight randomisation (Adebayo 2018, arXiv:1810.03292)."""

import copy
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import nn

from brain_tumor.models.protocol import steps_below_head

Heat = npt.NDArray[np.float32]
LIMIT = 0.5
"""Rank correlation with the maps of the trained network that those of a random one must stay below."""


def sanity(network: nn.Module, explain: Callable[[nn.Module], Heat], *, seed: int = 0) -> dict[str, Any]:
    """Randomise the weights from the head down, stage by stage, and see whether the maps change.

    A method whose maps stay alike shows the image, not what the network learnt of it, and fails. The values of each
    tensor are shuffled, so that they keep their scale and lose all that was learnt.

    Args:
        network: Trained; it is left as it is. See `brain_tumor.models.protocol.Network`.
        explain: Network → maps float [N, S, S] of always the same images, for always the same classes.
        seed: Of the shuffling.

    Returns:
        Ready for JSON: ``images, limit, steps [{"randomised", "weights" (share), "similarity"}], passed, verdict``. A
        similarity is the mean over images of Spearman's correlation of the pixels of two maps, in [-1, 1].
    """
    trained = explain(network)
    steps, last = [], 1.0
    for name, share, scrambled in randomised(network, seed):
        last = similarity(trained, explain(scrambled))
        steps.append({"randomised": name, "weights": share, "similarity": last})
    passed = last < LIMIT
    verdict = (
        f"The maps depend on the weights: with all of them random, rank correlation falls to {last:.2f}."
        if passed
        else f"The maps hardly depend on the weights: with all of them random, rank correlation is still {last:.2f} "
        f"(expected less than {LIMIT}). Read nothing into them."
    )
    return {"images": len(trained), "limit": LIMIT, "steps": steps, "passed": passed, "verdict": verdict}


def similarity(one: Heat, other: Heat) -> float:
    """Mean over images of Spearman's rank correlation of two maps [N, S, S].

    Maps that are equal correlate by 1, even if they are constant; a constant map and another by 0.
    """
    ranks = (np.stack([rankdata(heat, axis=None) for heat in heats]) for heats in (one, other))
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    product = (centred[0] * centred[1]).sum(axis=1)
    norm = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    same = (one == other).all(axis=(1, 2))
    return float(np.where(same, 1.0, np.where(norm > 0, product / np.where(norm > 0, norm, 1), 0.0)).mean())


def randomised(network: nn.Module, seed: int = 0) -> Iterator[tuple[str, float, nn.Module]]:
    """A copy of a network, yielded again after each stage, from the head down, whose weights were shuffled.

    Yields:
        The stage's name, the share of all weights that are random by now, and the copy.
    """
    scrambled = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    stages: dict[int, list[str]] = {}
    for name, depth in steps_below_head(scrambled).items():
        stages.setdefault(depth, []).append(name)
    total, done = sum(parameter.numel() for parameter in scrambled.parameters()), 0
    for depth in sorted(stages):
        for name in stages[depth]:
            parameter = scrambled.get_parameter(name)
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
            done += parameter.numel()
        yield _common(stages[depth]), done / total, scrambled


def _common(names: list[str]) -> str:
    """What dotted names begin with alike, without the last part."""
    parts = zip(*(name.split(".")[:-1] for name in names), strict=False)
    return ".".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, parts)) or names[0].split(".")[0]
