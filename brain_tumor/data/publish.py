"""Files and folders that appear whole or not at all, however many processes make them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
