"""Decoded images by content: from the cache, from memory, or decoded on each access."""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from brain_tumor.data.cache.decoding import decode_all, fit_square
from brain_tumor.data.cache.digests import digests
from brain_tumor.data.cache.entry import Damage, Entry, EntryDraft
from brain_tumor.data.cache.eviction import evict, remove, stored
from brain_tumor.data.fingerprint import FINGERPRINT_VERSION, SIDE, VIEWS
from brain_tumor.data.images import Images, places
from brain_tumor.data.readers.reading import READING_VERSION, format_of, read_grey, source_file
from brain_tumor.errors import require
from brain_tumor.run_dir.atomic import hold_lock, published_folder
from brain_tumor.types import GreyImage

CacheMode = Literal["disk", "ram", "off"]
log = logging.getLogger(__name__)
_FEW = 128 * 2**20
"""Bytes of images that are held in memory: to read them one by one from a file takes training longer."""
_FILE = "{file}"
"""Stands for the file's name in a stored fault: the same file may lie elsewhere the next time."""


@dataclass(frozen=True)
class ImageCache:
    """Decoded images and what was learnt while decoding them."""

    images: Images
    """uint8 [N, size, size], in the order of the paths."""
    views: Images
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE], likewise."""
    facts: pd.DataFrame
    """One row per path: ``path, sha256``, and what `brain_tumor.data.cache.decoding.Decoded` says."""
    entry: Path | None
    """The folder all this lies in, with all else that was found out about these images; None: nothing is written."""


def cached_images(
    paths: Sequence[str], size: int, cache_dir: Path, mode: CacheMode = "disk", limit_gb: float | None = None
) -> ImageCache:
    """Images of some files, decoded now if they never were.

    Args:
        paths: Files, or slices of volumes (``FILE#SLICE``).
        size: Side of the decoded images in pixels.
        cache_dir: Where entries lie. One appears only once it is whole; of several processes that want the same one
            decodes, and the others wait for it.
        mode: "disk" keeps decoded images in ``cache_dir``, and few of them in memory, too. "ram" decodes them at each
            start into memory, which worker processes share; "off" whenever one is looked at. Neither of the two writes
            anything.
        limit_gb: When an entry is added, those used least recently go until all together take no more than this.

    Raises:
        DataError: A file cannot be read, or ``cache_dir`` not be filled.
        ConfigError: No such mode, or no such limit.
    """
    require(mode in get_args(CacheMode), f"data.cache={mode}", "one of " + ", ".join(get_args(CacheMode)))
    good = limit_gb is None or (isinstance(limit_gb, int | float) and limit_gb >= 0)
    require(good, f"paths.cache_limit_gb={limit_gb}", "a number from 0, or null")
    found = digests(paths, cache_dir / "digests" if mode == "disk" else None)
    if mode == "disk":
        entry = _entry(paths, found, size, cache_dir, limit_gb)
        errors = [
            error.replace(_FILE, str(source_file(path)))
            for error, path in zip(entry.facts["error"], paths, strict=True)
        ]
        facts = entry.facts.drop(columns="content").assign(error=errors, path=list(paths), sha256=found)
        held: Images = entry.images[:] if entry.images.nbytes <= _FEW else entry.images
        return ImageCache(held, entry.views, facts, entry.folder)
    images, views, facts = in_memory(paths, size, keep=mode == "ram")
    return ImageCache(images, views, facts.assign(path=list(paths), sha256=found), None)


def _entry(paths: Sequence[str], found: Sequence[str], size: int, cache_dir: Path, limit_gb: float | None) -> Entry:
    """Open the entry, or build it, or wait for whoever builds it."""
    contents = [f"{format_of(source_file(path))} {digest}" for path, digest in zip(paths, found, strict=True)]
    recipe = f"{READING_VERSION} {FINGERPRINT_VERSION} {size}"
    key = hashlib.sha256("\n".join([recipe, *contents]).encode()).hexdigest()[:16]
    folder = cache_dir / f"images-{key}"
    entry = _opened(folder)
    if entry is None:
        with hold_lock(folder, "decodes these images"):
            entry = _opened(folder)
            if entry is None:
                remove(folder)
                _build(folder, paths, contents, recipe, size)
                entry = Entry.open(folder)
        if limit_gb is not None:
            evict(cache_dir, limit_gb, keep=folder)
    entry.touch()
    return entry


def _opened(folder: Path) -> Entry | None:
    try:
        return Entry.open(folder)
    except FileNotFoundError:
        return None
    except Damage as damage:
        log.warning("%s; its images are decoded again.", damage)
        return None


def _build(folder: Path, paths: Sequence[str], contents: Sequence[str], recipe: str, size: int) -> None:
    with published_folder(folder) as place:
        draft = EntryDraft(place, len(paths), size)
        known = _take_over(draft, folder.parent, contents, recipe)
        rows = [row for row in range(len(paths)) if row not in known]
        if known:
            log.info("%d of %d images had been decoded before.", len(known), len(paths))
        for number, one in decode_all([paths[row] for row in rows], size):
            row = rows[number]
            error = one.facts["error"].replace(str(source_file(paths[row])), _FILE)
            draft.put(row, one.square, one.views, {"content": contents[row], **one.facts, "error": error})
        draft.seal(recipe)


def _take_over(draft: EntryDraft, cache_dir: Path, contents: Sequence[str], recipe: str) -> set[int]:
    """Fill the rows whose images stand whole in another entry. What could not be read is tried again."""
    wanted: dict[str, list[int]] = {}
    for row, content in enumerate(contents):
        wanted.setdefault(content, []).append(row)
    known: set[int] = set()
    for each in stored(cache_dir):
        with suppress(FileNotFoundError, Damage):
            other = Entry.open(each.folder, contents=False)
            if other.recipe != recipe:
                continue
            offered = other.facts[other.facts["content"].isin(list(wanted)) & (other.facts["error"] == "")]
            for place, facts in zip(offered.index, offered.to_dict("records"), strict=True):
                if both := other.whole(int(place)):
                    for row in wanted.pop(facts["content"], ()):
                        draft.put(row, *both, {str(name): value for name, value in facts.items()})
                        known.add(row)
    return known


class DecodedAgain:
    """uint8 [N, size, size], read from its file at each look; slices of large volumes are slow that way.

    Args:
        paths: Files, or slices of volumes.
        size: Side of the images.
    """

    def __init__(self, paths: Sequence[str], size: int) -> None:
        self._paths, self._size = paths, size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, rows: Any) -> GreyImage:
        """As `brain_tumor.data.images.Images`.

        Raises:
            DataError: A file cannot be read any more.
        """
        chosen = places(rows, len(self))
        found = np.empty((chosen.size, self._size, self._size), np.uint8)
        for one, row in zip(found, chosen.ravel().tolist(), strict=True):
            one[:] = fit_square(read_grey(self._paths[row]), self._size)
        return found.reshape(*chosen.shape, *found.shape[1:])


def in_memory(paths: Sequence[str], size: int, *, keep: bool) -> tuple[Images, GreyImage, pd.DataFrame]:
    """Decode all files once: their images (kept in memory, or to be decoded anew), fingerprints and facts."""
    images = np.zeros((len(paths) if keep else 0, size, size), np.uint8)
    views = np.zeros((len(paths), len(VIEWS), SIDE, SIDE), np.uint8)
    facts: list[dict[str, str]] = [{}] * len(paths)
    for row, one in decode_all(paths, size):
        views[row], facts[row] = one.views, one.facts
        if keep:
            images[row] = one.square
    return images if keep else DecodedAgain(paths, size), views, pd.DataFrame(facts)
