"""Write files and folders in one step, read and write JSON, and let one process work while others wait for it."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from brain_tumor.errors import DataError, RunDirError

log = logging.getLogger(__name__)


@contextmanager
def published_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to; on exit it replaces ``path``, on an error it is removed.

    Readers see the old file or the complete new one.

    Raises:
        OSError: The folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def published_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder`` to fill; on exit it becomes ``folder``, on an error it is removed.

    If another process has made ``folder`` in the meantime, that one stays: both are expected to hold the same.

    Raises:
        DataError: The disk is full, the parent folder cannot be written, or a source file cannot be read.
    """
    draft = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        yield draft
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    except OSError as error:
        raise DataError(
            f"The folder {folder.parent} cannot be written ({error}); choose a writable folder on a disk with free "
            "space, for the cache with paths.cache_dir."
        ) from error
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        OSError: The file cannot be read.
        RunDirError: The file holds no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunDirError(f"{path} is damaged ({error}): expected JSON. Copy it again, or repeat the run.") from error
    if not isinstance(document, dict):
        raise RunDirError(f"{path} is damaged: expected a JSON object. Copy it again, or repeat the run.")
    return document


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a JSON object in one step: readers see the old file or the complete new one.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The document holds NaN or an infinity, which JSON does not know.
    """
    with published_file(path) as draft:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextmanager
def hold_lock(path: Path, activity: str) -> Iterator[None]:
    """Hold the lock of a file or folder that is being made; the lock ends with the process, however that ends.

    The ranks of a run and the jobs of a sweep start together and need the same entries of the cache. If all of them
    did the work, they would share the cores and all finish later than one process alone. On file systems without locks
    every process does the work, and the first result is kept (`published_folder`).

    Args:
        path: File or folder to make.
        activity: What the holder of the lock does, for the log of the waiting processes: "decodes these images".
    """
    lock = filelock.FileLock(path.parent / "locks" / f"{path.name}.lock")
    try:
        (path.parent / "locks").mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            log.info("Another process %s; waiting until it is done.", activity)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        log.debug("%s cannot be locked: %s", path, error)
    try:
        yield
    finally:
        lock.release()
