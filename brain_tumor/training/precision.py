"""Choose the floating-point precision of a training, and state the reason."""

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
from brain_tumor.models.protocol import memory_format
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.training.distributed.world import World

log = logging.getLogger(__name__)

FULL, HALF = "32-true", "bf16-mixed"
_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""Flags in /proc/cpuinfo of processors that multiply bfloat16 in hardware."""
_BATCH = 8
_REPEATS = 3
_MIN_SPEED_UP = 1.3
"""Speed-up from which half precision is chosen on a CPU: well above the error of the measurement."""
_MIN_STEP_SECONDS = 0.02
"""Seconds of a step below which a user would not notice any gain."""


def resolve_precision(cfg: DictConfig, classifier: Classifier, world: World, before: str | None = None) -> str:
    """Replace ``trainer.precision=auto`` in a composed configuration, and log the reason.

    GPUs from Ampere on get bf16. A CPU with bf16 in hardware gets it if a training step of this network was measured to
    be clearly faster; the measurement is kept in the cache, so that the same training gives the same result later.

    Args:
        cfg: Configuration with ``trainer``, ``model``, ``data`` and ``paths``.
        classifier: Classifier to be trained; it is not changed.
        world: Processes of the training, which all need the same precision.
        before: Return value of this function in the run that is resumed, or None.

    Returns:
        The precision with its reason, for ``run.json``.
    """
    if cfg.trainer.precision != "auto":
        return f"{cfg.trainer.precision} (trainer.precision)"
    if before:
        chosen, reason = before.split(" ", 1)
    elif cfg.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        chosen, reason = _of_gpu(*torch.cuda.get_device_capability())
    elif world.launcher != "own":
        chosen, reason = FULL, "(not measured on CPUs of several machines)"
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
    cached = _CachedSpeedUp(cfg)
    if cached.speed_up is None:
        cached.store(_speed_up(network, channels, cfg.data.image_size))
    chosen = HALF if cached.speed_up and cached.speed_up >= _MIN_SPEED_UP else FULL
    measurement = f"measured {cached.speed_up:.1f} × as fast" if cached.speed_up else "a step is too short to matter"
    return chosen, f"({has[-1]}: bf16 {measurement})"


def cpu_flags() -> set[str]:
    """Return the processor's flags on Linux, an empty set elsewhere."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return set()


class _CachedSpeedUp:
    """Speed-up of one network on this machine, stored in the cache."""

    def __init__(self, cfg: DictConfig) -> None:
        key: list[Any] = [plain(cfg.model), cfg.data.image_size, torch.__version__, torch.get_num_threads()]
        key += [platform.processor(), sorted(cpu_flags())]
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        self._path = Path(cfg.paths.cache_dir).expanduser() / f"bf16-{digest}.json"
        self.speed_up: float | None = None
        """0 if a step is too short to be measured, None if nothing was measured yet."""
        with suppress(OSError, ValueError, KeyError):
            self.speed_up = float(json.loads(self._path.read_text(encoding="utf-8"))["speed_up"])

    def store(self, speed_up: float) -> None:
        self.speed_up = speed_up
        with suppress(OSError):  # the cache may be read-only
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with published_file(self._path) as draft:
                draft.write_text(json.dumps({"speed_up": speed_up}), encoding="utf-8")


def _speed_up(network: nn.Module, channels: int, size: int) -> float:
    """Measure seconds of a training step in full precision over those in half precision, the best of some repeats."""
    network = copy.deepcopy(network).train()
    with torch.random.fork_rng(devices=[]):
        images = torch.randn(_BATCH, channels, size, size).to(memory_format=memory_format(network))
        _step(network, images, half=False)
        if _step(network, images, half=False) < _MIN_STEP_SECONDS:
            return 0.0
        _step(network, images, half=True)
        repeats = [[_step(network, images, half=half) for half in (False, True)] for _ in range(_REPEATS)]
    full, half = (min(seconds) for seconds in zip(*repeats, strict=True))
    return float(round(full / half, 2))


def _step(network: nn.Module, images: torch.Tensor, *, half: bool) -> float:
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = network(images).float().square().mean()
    loss.backward()
    return time.perf_counter() - started
