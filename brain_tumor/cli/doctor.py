"""``brain-tumor doctor``: what this machine has, what is missing, and what to do about it, in one screen."""

import argparse
import netrc
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from rich.table import Table

from brain_tumor import CAUTION, __version__
from brain_tumor.cli.data import cache_folder
from brain_tumor.cli.terminal import console

State = Literal["ok", "note", "problem"]

_GB = 1e9
_LITTLE_DISK = 5 * _GB
"""Free bytes below which a run with its cache may not fit."""
_LITTLE_SHARED_MEMORY = 1 * _GB
"""Free bytes in /dev/shm below which processes that load images may fail, as in a container with 64 MB."""
_SECONDS = 5.0
"""Seconds in which a server must answer."""
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    """``note``: works, with something to know; ``problem``: training will fail."""
    found: str
    advice: str = ""
    """What to do, where there is something to do."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb; exits with 1 if there is a problem."""
    parser = argparse.ArgumentParser(prog="brain-tumor doctor", description=__doc__)
    parser.add_argument("--cache", metavar="DIR", help="cache of decoded images; default: as training uses it")
    asked = parser.parse_args(arguments)
    print(f"brain-tumor {__version__}. {CAUTION}\n")
    checks = list(run_checks(cache_folder(asked.cache)))
    console().print(checks_table(checks))
    problems = [check.name for check in checks if check.state == "problem"]
    print(
        f"\n{len(problems)} problems: {', '.join(problems)}." if problems else "\nReady: brain-tumor init DIR is next."
    )
    sys.exit(1 if problems else 0)


def run_checks(cache: Path) -> Iterator[Check]:
    """Look at versions, devices, memory, disk, cache, servers and extras.

    Args:
        cache: Folder of the cache.
    """
    yield _versions()
    yield _processor()
    yield _gpu()
    yield _shared_memory()
    yield _disk("disk for runs", Path.cwd())
    yield _disk("cache", cache)
    yield _hub()
    yield _wandb()
    yield _extras()


def checks_table(checks: Sequence[Check]) -> Table:
    """Return a table of checks, one row each, with what to do below what was found."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        text = f"{check.found}\n→ {check.advice}" if check.advice else check.found
        table.add_row(check.state, check.name, text, style=None if check.state == "ok" else _STYLES[check.state])
    return table


def _versions() -> Check:
    names = ("torch", "lightning", "timm", "hydra-core")
    return Check("versions", "ok", ", ".join([f"Python {platform.python_version()}", *map(_version, names)]))


def _version(name: str) -> str:
    return f"{name} {version(name)}"


def _processor() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return Check("processor", "ok", f"{cores} cores, {memory / 2**30:.0f} GiB of memory, {platform.machine()}")


def _gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        found = ", ".join(f"{device.name} ({device.total_memory / 2**30:.0f} GiB)" for device in devices)
        return Check("GPU", "ok", found, "trainer=ddp trains on all of them" if len(devices) > 1 else "")
    if torch.backends.mps.is_available():
        return Check("GPU", "ok", "Apple's")
    advice = "networks up to ResNet-18 at 192 px train on a CPU; experiment=quick takes least time"
    driver = shutil.which("nvidia-smi")
    if driver:
        return Check("GPU", "note", f"torch {torch.__version__} sees none, though {driver} exists", "update the driver")
    return Check("GPU", "note", "none", advice)


def _shared_memory() -> Check:
    place = Path("/dev/shm")  # noqa: S108 - only its size is read
    if not place.is_dir():
        return Check("shared memory", "ok", "not limited")
    free = shutil.disk_usage(place).free
    if free < _LITTLE_SHARED_MEMORY:
        return Check("shared memory", "note", f"{free / _GB:.2f} GB", "docker run --shm-size=8g, or data.num_workers=0")
    return Check("shared memory", "ok", f"{free / _GB:.1f} GB")


def _disk(name: str, folder: Path) -> Check:
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(existing).free
    other = "paths.cache_dir=DIR, or BRAIN_TUMOR_CACHE=DIR" if name == "cache" else "hydra.run.dir=DIR"
    if not os.access(existing, os.W_OK):
        return Check(name, "problem", f"{folder} cannot be written", f"choose another place: {other}")
    if free < _LITTLE_DISK:
        return Check(
            name, "note", f"{folder}: {free / _GB:.1f} GB free", f"free some, or choose another place: {other}"
        )
    return Check(name, "ok", f"{folder}: {free / _GB:.0f} GB free")


def _hub() -> Check:
    from huggingface_hub import constants

    from brain_tumor.models.hub import why_unreachable

    advice = "for ImageNet weights, give a folder that holds NAME.safetensors: model.weights=DIR"
    if constants.HF_HUB_OFFLINE:
        return Check("hub", "note", "HF_HUB_OFFLINE is set: nothing is downloaded", advice)
    reason = why_unreachable(constants.ENDPOINT, _SECONDS)
    if reason:
        return Check("hub", "note", f"{constants.ENDPOINT} cannot be reached ({reason})", advice)
    return Check("hub", "ok", f"{constants.ENDPOINT} answers")


def _wandb() -> Check:
    from brain_tumor.models.hub import why_unreachable

    address = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    offline = "without it: logger=wandb logger.wandb.offline=true, and later wandb sync"
    if find_spec("wandb") is None:
        return Check("W&B", "note", "not installed", "pip install 'brain-tumor[wandb]', if you want its dashboards")
    reason = why_unreachable(address, _SECONDS)
    if reason:
        return Check("W&B", "note", f"{address} cannot be reached ({reason})", offline)
    if not (os.environ.get("WANDB_API_KEY") or _in_netrc(urlsplit(address).hostname or "")):
        return Check("W&B", "note", f"{address} answers; not logged in", f"wandb login; {offline}")
    return Check("W&B", "ok", f"{address} answers; logged in")


def _in_netrc(host: str) -> bool:
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _extras() -> Check:
    """Name the extras of which a package is missing, but for those of developers."""
    missing: dict[str, None] = {}
    try:
        given = requires("brain-tumor") or []
    except PackageNotFoundError:
        return Check("extras", "note", "this package is not installed", "make setup, or pip install .")
    for text in given:
        requirement = Requirement(text)
        extra = str(requirement.marker or "").partition("extra == ")[2].strip("\"' ")
        if extra and extra != "dev" and requirement.name != "brain-tumor":
            try:
                version(requirement.name)
            except PackageNotFoundError:
                missing[extra] = None
    if missing:
        return Check("extras", "note", f"not installed: {', '.join(missing)}", "pip install 'brain-tumor[NAME]'")
    return Check("extras", "ok", "all installed")


if __name__ == "__main__":
    main()
