"""Download a public set into a folder: completely or not at all; a repeated call resumes an interrupted download."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError


def fetch(dataset: PublicSet, folder: Path) -> Path:
    """Download and unpack a set.

    Args:
        dataset: Public set to download.
        folder: Target folder; it must be empty or not exist. A hidden folder next to it keeps an incomplete download.

    Returns:
        Folder of the set: ``folder``, or the read-only folder where a Kaggle notebook already has the set.

    Raises:
        DataError: The folder is not empty, or the set cannot be downloaded.
    """
    from brain_tumor.data.public.fetch import kaggle, repositories

    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise DataError(f"{folder} is not empty: give a folder that is empty or does not exist yet.")
    service, _, address = dataset.source.partition(":")
    work = folder.parent / f".{folder.name}.download"
    with disk_errors(work, dataset):
        work.mkdir(parents=True, exist_ok=True)
        try:
            download = kaggle.download_set if service == "kaggle" else repositories.download_set
            result = download(dataset, address, work, folder)
        except BaseException:
            with suppress(OSError):  # not empty: what was downloaded is kept for the next attempt
                work.rmdir()
            raise
        shutil.rmtree(work, ignore_errors=True)
    return result


def manual_download(dataset: PublicSet) -> str:
    """Describe the manual download, as the end of an error message."""
    return f"download {dataset.page} by hand, unpack it into DIR and use data={dataset.name} data.root=DIR"


@contextmanager
def disk_errors(work: Path, dataset: PublicSet) -> Iterator[None]:
    """Convert an error of the disk to a message that says what to do.

    Args:
        work: Folder of the download.
        dataset: Public set that is downloaded.

    Raises:
        DataError: The disk is full, or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{dataset.name} cannot be written to {work.parent} ({error.strerror or error}): free some space there, or "
            f"give another folder: brain-tumor data fetch {dataset.name} DIR."
        ) from error
