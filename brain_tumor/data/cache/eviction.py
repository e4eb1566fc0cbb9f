"""What the cache holds, and what goes when it grows beyond its limit: entries used least recently."""

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

GB = 10**9
_ABANDONED = 24 * 3600
"""Seconds after which a draft is what a killed process left behind."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """An entry as it lies on disk, whole or not."""

    folder: Path
    bytes: int
    used: float
    """When it was last opened or added to, seconds since 1970."""


def stored(cache_dir: Path) -> list[Stored]:
    """All entries, the one used last first."""
    found = []
    for folder in cache_dir.glob("images-*"):
        stats = [file.stat() for file in folder.iterdir()]
        used = max((stat.st_mtime for stat in stats), default=folder.stat().st_mtime)
        found.append(Stored(folder, sum(stat.st_size for stat in stats), used))
    return sorted(found, key=lambda each: (-each.used, each.folder))


def evict(cache_dir: Path, limit_gb: float, keep: Path | None = None) -> list[Stored]:
    """Remove entries until the others take ``limit_gb`` (10⁹ bytes each) at most, those used least recently first.

    Who has opened an entry can go on reading it; phantoms and what else lies in ``cache_dir`` is not counted.

    Args:
        cache_dir: Where the entries lie.
        limit_gb: 0 removes all.
        keep: An entry that stays, however large it is.

    Returns:
        What was removed.
    """
    for draft in cache_dir.glob(".images-*"):
        if time.time() - draft.stat().st_mtime > _ABANDONED:
            shutil.rmtree(draft, ignore_errors=True)
    total, removed = 0, []
    for each in sorted(stored(cache_dir), key=lambda each: each.folder != keep):
        total += each.bytes
        if (total > limit_gb * GB or not limit_gb) and each.folder != keep:
            remove(each.folder)
            removed.append(each)
            total -= each.bytes
            log.info(
                "Removed from the cache: %s (%.2f GB); its limit is %g GB.", each.folder, each.bytes / GB, limit_gb
            )
    return removed


def remove(folder: Path) -> None:
    """Remove an entry in one step, so that nobody finds half of it; nothing happens where there is none."""
    grave = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(grave, ignore_errors=True)
    try:
        folder.rename(grave)
    except OSError:  # it is not there, or must not be changed: whoever fills it will say so
        return
    shutil.rmtree(grave, ignore_errors=True)
