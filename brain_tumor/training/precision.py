"""Which floating-point precision a training runs in, and why."""

import copy
import hashlib
import json
import logging
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from brain_tumor.config.instantiate import plain
from brain_tumor.models.classifier import Classifier
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.training.distributed.world import World

log = logging.getLogger(__name__)

FULL, HALF = "32-true", "bf16-mixed"
_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""Of /proc/cpuinfo: processors that multiply bfloat16 in hardware."""
_BATCH = 8
_TURNS = 3
_WORTH = 1.3
"""Speed-up from which half precision is chosen on a CPU: well above what a measurement may be off by."""
_LEAST = 0.02
"""Seconds of a step below which nothing is gained that a user would notice."""


def resolve_precision(cfg: DictConfig, classifier: Classifier, world: World, before: str | None = None) -> str:
    """Replace ``trainer.precision=auto`` in a composed configuration, and log why.

    GPUs from Ampere on get bf16. A CPU that has bf16 in hardware gets it where a step of this network was measured to
    be clearly faster; what was measured once is kept in the cache, so that the same training is the same tomorrow.

    Args:
        cfg: With ``trainer``, ``model``, ``data`` and ``paths``.
        classifier: What is to be trained; it is not changed.
        world: The processes, which must all come to the same.
        before: What a run that is gone on with chose.

    Returns:
        The precision with its reason, for the record.
    """
    if cfg.trainer.precision != "auto":
        return f"{cfg.trainer.precision} (trainer.precision)"
    if before:
        chosen, reason = before.split(" ", 1)
    elif cfg.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        chosen, reason = _of_gpu(*torch.cuda.get_device_capability())
    elif world.launcher != "own":
        chosen, reason = FULL, "(on CPUs of several machines nothing is measured)"
    else:
        chosen, reason = _of_cpu(cfg, classifier.network, len(classifier.hparams["mean"]))
    cfg.trainer.precision = chosen
    log.info("precision=%s %s", chosen, reason)
    return f"{chosen} {reason}"


def _of_gpu(major: int, minor: int) -> tuple[str, str]:
    if major >= 8:
        return HALF, f"(CUDA sm_{major}{minor} has bf16)"
    return FULL, f"(CUDA sm_{major}{minor} has no fast bf16)"


def _of_cpu(cfg: DictConfig, network: nn.Module, channels: int) -> tuple[str, str]:
    has = [flag for flag in _CPU_FLAGS if flag in cpu_flags()]
    if not has:
        return FULL, "(this CPU has no bf16)"
    known = _Remembered(cfg)
    if known.speed_up is None:
        known.keep(_speed_up(network, channels, cfg.data.image_size))
    chosen = HALF if known.speed_up and known.speed_up >= _WORTH else FULL
    measured = f"measured {known.speed_up:.1f} × as fast" if known.speed_up else "a step is too short to matter"
    return chosen, f"({has[-1]}: bf16 {measured})"


def cpu_flags() -> set[str]:
    """What the processor can do, where Linux tells; else nothing."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return set()


class _Remembered:
    """The speed-up of one network on this machine, from the cache."""

    def __init__(self, cfg: DictConfig) -> None:
        about: list[Any] = [plain(cfg.model), cfg.data.image_size, torch.__version__, torch.get_num_threads()]
        about += [platform.processor(), sorted(cpu_flags())]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        self._path = Path(cfg.paths.cache_dir).expanduser() / f"bf16-{digest}.json"
        self.speed_up: float | None = None
        """0 where a step is too short to be measured, None where nothing is known."""
        with suppress(OSError, ValueError, KeyError):
            self.speed_up = float(json.loads(self._path.read_text(encoding="utf-8"))["speed_up"])

    def keep(self, speed_up: float) -> None:
        self.speed_up = speed_up
        with suppress(OSError):  # the cache may be read-only
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with published_file(self._path) as draft:
                draft.write_text(json.dumps({"speed_up": speed_up}), encoding="utf-8")


def _speed_up(network: nn.Module, channels: int, size: int) -> float:
    """Seconds of a training step in full precision, divided by those in half; the best of some turns each."""
    network = copy.deepcopy(network).train()
    with torch.random.fork_rng(devices=[]):
        images = torch.randn(_BATCH, channels, size, size).to(memory_format=torch.channels_last)
        _step(network, images, half=False)
        if _step(network, images, half=False) < _LEAST:
            return 0.0
        _step(network, images, half=True)
        turns = [[_step(network, images, half=half) for half in (False, True)] for _ in range(_TURNS)]
    full, half = (min(seconds) for seconds in zip(*turns, strict=True))
    return float(round(full / half, 2))


def _step(network: nn.Module, images: torch.Tensor, *, half: bool) -> float:
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = network(images).float().square().mean()
    loss.backward()
    return time.perf_counter() - started
