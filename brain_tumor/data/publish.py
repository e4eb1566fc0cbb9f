"""Folders that appear whole or not at all, however many processes make them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Yield an empty draft beside ``folder`` to fill; on leaving it becomes ``folder``, on an error it is removed.

    Where another process was faster its folder stays: both are expected to hold the same.

    Raises:
        OSError: The parent cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield draft
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
