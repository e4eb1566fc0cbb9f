"""List the entries of the cache, and remove the least recently used ones when it exceeds its limit."""

import logging
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

GB = 10**9
_DRAFT_LIFETIME = 24 * 3600
"""Age in seconds from which a draft is the remains of a killed process."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredEntry:
    """An entry on disk, damaged or not."""

    folder: Path
    size: int
    """Size in bytes."""
    last_used: float
    """Time when the entry was last opened or extended, in seconds since 1970."""


def list_entries(cache_dir: Path, kind: str = "images") -> list[StoredEntry]:
    """List all entries of images, or folders of "results", the most recently used first."""
    entries = []
    for folder in cache_dir.glob(f"{kind}-*"):
        stats = [file.stat() for file in folder.iterdir()]
        last_used = max((stat.st_mtime for stat in stats), default=folder.stat().st_mtime)
        entries.append(StoredEntry(folder, sum(stat.st_size for stat in stats), last_used))
    return sorted(entries, key=lambda entry: (-entry.last_used, entry.folder))


def evict(cache_dir: Path, limit_gb: float, keep: Path | None = None) -> list[StoredEntry]:
    """Remove the least recently used entries until the remaining ones take at most ``limit_gb``.

    Processes that have opened a removed entry can still read it. Results on images (`brain_tumor.data.cache.results`)
    are small and not counted; those last used before all remaining entries are removed. Phantoms and other files in
    ``cache_dir`` are neither counted nor removed.

    Args:
        cache_dir: Folder of the cache.
        limit_gb: Limit in units of 10⁹ bytes; 0 removes all entries.
        keep: Folder of an entry that is never removed, however large it is.

    Returns:
        The removed entries.
    """
    for draft in (*cache_dir.glob(".images-*"), *cache_dir.glob(".results-*")):
        if time.time() - draft.stat().st_mtime > _DRAFT_LIFETIME:
            shutil.rmtree(draft, ignore_errors=True)
    total, removed, oldest = 0, [], math.inf
    for entry in sorted(list_entries(cache_dir), key=lambda entry: entry.folder != keep):
        total += entry.size
        if (total > limit_gb * GB or not limit_gb) and entry.folder != keep:
            remove_entry(entry.folder)
            removed.append(entry)
            total -= entry.size
            log.info("Removed cache entry %s (%.2f GB): the limit is %g GB", entry.folder, entry.size / GB, limit_gb)
        else:
            oldest = min(oldest, entry.last_used)
    for results in list_entries(cache_dir, "results"):
        if results.last_used < oldest:
            remove_entry(results.folder)
    return removed


def remove_entry(folder: Path) -> None:
    """Remove an entry in one step, so that no process sees half of it; does nothing if it does not exist."""
    trash = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(trash, ignore_errors=True)
    try:
        folder.rename(trash)
    except OSError:  # it does not exist or is read-only; an attempt to fill it reports the error
        return
    shutil.rmtree(trash, ignore_errors=True)
