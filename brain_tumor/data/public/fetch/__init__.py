"""Download a public set into a folder: whole or not at all, and on from where the last attempt broke off."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError


def fetch(published: PublicSet, folder: Path) -> Path:
    """Download and unpack a set.

    Args:
        published: Which one.
        folder: Where to; it must be empty or not exist. A hidden folder beside it keeps what has come so far.

    Returns:
        Where the set lies: ``folder``, or the read-only place where a Kaggle notebook keeps it already.

    Raises:
        DataError: The folder is in use, or the set cannot be had; the sentence says what to do.
    """
    from brain_tumor.data.public.fetch import kaggle, releases

    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise DataError(f"{folder} is not empty; give a folder that is empty or does not exist yet.")
    kind, _, where = published.source.partition(":")
    work = folder.parent / f".{folder.name}.download"
    with writable(work, published):
        work.mkdir(parents=True, exist_ok=True)
        try:
            place = (kaggle.get if kind == "kaggle" else releases.get)(published, where, work, folder)
        except BaseException:
            with suppress(OSError):  # what has come stays
                work.rmdir()
            raise
        shutil.rmtree(work, ignore_errors=True)
    return place


def by_hand(published: PublicSet) -> str:
    """The way that is always open."""
    return f"download {published.page} by hand, unpack it into DIR and use data={published.name} data.root=DIR"


@contextmanager
def writable(work: Path, published: PublicSet) -> Iterator[None]:
    """What the disk refuses becomes one sentence.

    Raises:
        DataError: It is full, or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{work.parent} cannot take {published.name} ({error.strerror or error}); make room there or give another "
            f"folder: brain-tumor data fetch {published.name} DIR."
        ) from error
