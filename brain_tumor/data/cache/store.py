"""Decoded images by content: read from the cache on disk, kept in memory, or decoded on each access."""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from brain_tumor.data.cache.decoding import KnownViews, decode_all, fit_square
from brain_tumor.data.cache.digests import digests
from brain_tumor.data.cache.entry import DamagedEntryError, Entry, EntryDraft
from brain_tumor.data.cache.eviction import evict, list_entries, remove_entry
from brain_tumor.data.cache.results import results_folder
from brain_tumor.data.fingerprint import FINGERPRINT_VERSION, SIDE, VIEWS
from brain_tumor.data.images import Images, row_numbers
from brain_tumor.data.readers.reading import READING_VERSION, format_of, read_image, source_file
from brain_tumor.errors import require
from brain_tumor.run_dir.atomic import hold_lock, published_folder
from brain_tumor.types import GreyImage

CacheMode = Literal["disk", "ram", "off"]
log = logging.getLogger(__name__)
_MAX_BYTES_IN_MEMORY = 128 * 2**20
"""Size up to which the images of an entry are loaded into memory: reading single images from disk slows training."""
_FILE = "{file}"
"""Placeholder for the path of the file in stored error messages: the file may lie elsewhere the next time."""


@dataclass(frozen=True)
class ImageCache:
    """Decoded images with their fingerprints and facts, in the order of the paths."""

    images: Images
    """uint8 [N, size, size]."""
    views: Images
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE]."""
    facts: pd.DataFrame
    """One row per path: ``path, sha256``, and the facts of `brain_tumor.data.cache.decoding.Decoded`."""
    entry: Path | None
    """Folder of the cache entry; None if nothing is written."""
    results: Path | None
    """Folder for results on these images (pairs, patients, 1-NN baseline, audit), the same for all sizes; None if
    nothing is written."""


def cached_images(
    paths: Sequence[str], size: int, cache_dir: Path, mode: CacheMode = "disk", limit_gb: float | None = None
) -> ImageCache:
    """Return the decoded images of files; decode those that are not in the cache.

    Args:
        paths: Paths of files, or ``FILE#SLICE`` for slices of volumes.
        size: Height and width of the decoded images in pixels.
        cache_dir: Folder of the cache. An entry appears only once it is complete; of several processes that need the
            same entry, one decodes and the others wait for it.
        mode: "disk" stores decoded images in ``cache_dir`` and also loads up to 128 MiB into memory. "ram" decodes at
            each start into memory that worker processes share; "off" decodes on each access. These two write nothing.
        limit_gb: Limit of the cache in units of 10⁹ bytes, enforced when an entry is added: the least recently used
            entries are removed. None for no limit.

    Raises:
        DataError: A file cannot be read, or ``cache_dir`` cannot be written.
        ConfigError: Invalid mode or limit.
    """
    require(mode in get_args(CacheMode), f"data.cache={mode}", "one of " + ", ".join(get_args(CacheMode)))
    valid = limit_gb is None or (isinstance(limit_gb, int | float) and limit_gb >= 0)
    require(valid, f"paths.cache_limit_gb={limit_gb}", "a number from 0, or null")
    sha256 = digests(paths, cache_dir / "digests" if mode == "disk" else None)
    if mode != "disk":
        images, views, facts = _decode_without_cache(paths, size, keep=mode == "ram")
        return ImageCache(images, views, facts.assign(path=list(paths), sha256=sha256), None, None)
    entry, results = _open_or_build(paths, sha256, size, cache_dir, limit_gb)
    errors = [
        error.replace(_FILE, str(source_file(path))) for error, path in zip(entry.facts["error"], paths, strict=True)
    ]
    facts = entry.facts.drop(columns="content").assign(error=errors, path=list(paths), sha256=sha256)
    in_memory = entry.images.nbytes <= _MAX_BYTES_IN_MEMORY
    return ImageCache(entry.images[:] if in_memory else entry.images, entry.views, facts, entry.folder, results)


def _open_or_build(
    paths: Sequence[str], sha256: Sequence[str], size: int, cache_dir: Path, limit_gb: float | None
) -> tuple[Entry, Path]:
    """Open the entry of these contents; build it, or wait for another process that does, if it does not exist.

    Returns:
        The entry, and the folder for results on its images.
    """
    contents = [f"{format_of(source_file(path))} {digest}" for path, digest in zip(paths, sha256, strict=True)]
    recipe = _recipe(size)
    key = hashlib.sha256("\n".join([recipe, *contents]).encode()).hexdigest()[:16]
    folder = cache_dir / f"images-{key}"
    entry = stored = _open_undamaged(folder)
    if entry is None:
        with hold_lock(folder, "decodes these images"):
            entry = _open_undamaged(folder)
            if entry is None:
                remove_entry(folder)
                _build(folder, paths, contents, recipe, size)
                entry = Entry.open(folder)
    results = results_folder(cache_dir, entry.facts)
    if stored is None and limit_gb is not None:
        evict(cache_dir, limit_gb, keep=folder)
    entry.mark_used()
    return entry, results


def _open_undamaged(folder: Path) -> Entry | None:
    try:
        return Entry.open(folder)
    except FileNotFoundError:
        return None
    except DamagedEntryError as error:
        log.warning("%s; its images are decoded again", error)
        return None


def _build(folder: Path, paths: Sequence[str], contents: Sequence[str], recipe: str, size: int) -> None:
    with published_folder(folder) as draft_folder:
        draft = EntryDraft(draft_folder, len(paths), size)
        copied, known_views = _copy_from_other_entries(draft, folder.parent, contents, recipe)
        rows = [row for row in range(len(paths)) if row not in copied]
        if copied:
            log.info("%d of %d images are in the cache; decoding %d", len(copied), len(paths), len(rows))
        for position, decoded in decode_all([paths[row] for row in rows], size, known_views):
            row = rows[position]
            error = decoded.facts["error"].replace(str(source_file(paths[row])), _FILE)
            draft.set_row(
                row, decoded.image, decoded.views, {"content": contents[row], **decoded.facts, "error": error}
            )
        draft.seal(recipe)


def _copy_from_other_entries(
    draft: EntryDraft, cache_dir: Path, contents: Sequence[str], recipe: str
) -> tuple[set[int], KnownViews]:
    """Set the rows whose images are undamaged in another entry of the same recipe.

    Images that could not be read are not copied: reading is tried again.

    Returns:
        Numbers of these rows; and the fingerprints in entries of other sizes, which save most of the time of decoding.
    """
    missing: dict[str, list[int]] = {}
    for row, content in enumerate(contents):
        missing.setdefault(content, []).append(row)
    copied: set[int] = set()
    known: dict[str, tuple[Entry, int]] = {}
    for stored in list_entries(cache_dir):
        with suppress(FileNotFoundError, DamagedEntryError):
            entry = Entry.open(stored.folder, verify_images=False)
            usable = entry.facts[entry.facts["content"].isin(list(missing)) & (entry.facts["error"] == "")]
            if entry.recipe != recipe:
                if _fingerprint_version(entry.recipe) == _fingerprint_version(recipe):
                    digests = zip(usable.index, usable["pixels"], strict=True)
                    known |= {pixels: (entry, row) for row, pixels in digests if pixels}
                continue
            for entry_row, facts in zip(usable.index, usable.to_dict("records"), strict=True):
                image_and_views = entry.read_verified(int(entry_row))
                if image_and_views is not None:
                    for row in missing.pop(facts["content"], ()):
                        draft.set_row(row, *image_and_views, {str(name): value for name, value in facts.items()})
                        copied.add(row)

    def known_views(pixels: str) -> GreyImage | None:
        entry, row = known.get(pixels, (None, 0))
        verified = entry.read_verified(row) if entry else None
        return None if verified is None else verified[1]

    return copied, known_views


def _recipe(size: int) -> str:
    return f"{READING_VERSION} {FINGERPRINT_VERSION} {size}"


def _fingerprint_version(recipe: str) -> list[str]:
    return recipe.split()[1:2]


def _decode_without_cache(paths: Sequence[str], size: int, *, keep: bool) -> tuple[Images, GreyImage, pd.DataFrame]:
    """Decode all files once, for fingerprints and facts; images are kept in memory or decoded again on each access."""
    images = np.zeros((len(paths) if keep else 0, size, size), np.uint8)
    views = np.zeros((len(paths), len(VIEWS), SIDE, SIDE), np.uint8)
    facts: list[dict[str, str]] = [{}] * len(paths)
    for row, decoded in decode_all(paths, size):
        views[row], facts[row] = decoded.views, decoded.facts
        if keep:
            images[row] = decoded.image
    return images if keep else DecodedOnAccess(paths, size), views, pd.DataFrame(facts)


class DecodedOnAccess:
    """Images uint8 [N, size, size], each decoded from its file on every access; slow for slices of large volumes.

    Args:
        paths: Paths of files, or ``FILE#SLICE``.
        size: Height and width of the images in pixels.
    """

    def __init__(self, paths: Sequence[str], size: int) -> None:
        self._paths, self._size = paths, size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, rows: Any) -> GreyImage:
        """Decode rows, as `brain_tumor.data.images.Images` defines.

        Raises:
            DataError: A file can no longer be read.
        """
        numbers = row_numbers(rows, len(self))
        images = np.empty((numbers.size, self._size, self._size), np.uint8)
        for position, row in enumerate(numbers.ravel().tolist()):
            images[position] = fit_square(read_image(self._paths[row]), self._size)
        return images.reshape(*numbers.shape, *images.shape[1:])
