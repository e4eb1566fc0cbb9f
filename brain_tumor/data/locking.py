"""One process does the work, others that want the same wait for it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

log = logging.getLogger(__name__)


@contextmanager
def one_at_a_time(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock of ``path``, a file or folder that is being made. It ends with the process, however that ends.

    Ranks and jobs of a sweep start together and want the same: if all did the work, each would have a share of the
    cores only, and all be done later than one alone. Where a file system knows no locks all do it, and the first to be
    done wins (`brain_tumor.data.publish`).
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
