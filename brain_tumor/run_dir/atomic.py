"""Write files and folders in one step, and let one process work while others wait for it."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from brain_tumor.errors import DataError


@contextmanager
def published_file(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; on leaving the file replaces ``path``, on an error it is removed.

    A reader sees the old file or the whole new one.

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
    """Yield an empty draft beside ``folder`` to fill; on leaving it becomes ``folder``, on an error it is removed.

    Where another process was faster its folder stays: both are expected to hold the same.

    Raises:
        DataError: The disk is full, the parent cannot be written, or what the folder is made from cannot be read.
    """
    draft = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        yield draft
        _rename(draft, folder)
    except OSError as error:
        raise DataError(f"The cache {folder.parent} could not be filled ({error}); set paths.cache_dir.") from error
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)


def _rename(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


log = logging.getLogger(__name__)


@contextmanager
def one_at_a_time(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock of ``path``, a file or folder that is being made. It ends with the process, however that ends.

    Ranks and jobs of a sweep start together and want the same: if all did the work, each would have a share of the
    cores only, and all be done later than one alone. Where a file system knows no locks all do it, and the first to be
    done wins (`brain_tumor.run_dir.atomic`).
    """
    lock = filelock.FileLock(path.parent / "locks" / f"{path.name}.lock")
    try:
        (path.parent / "locks").mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            log.info("Another process %s; waiting for it.", doing)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        log.debug("%s cannot be locked: %s", path, error)
    try:
        yield
    finally:
        lock.release()
