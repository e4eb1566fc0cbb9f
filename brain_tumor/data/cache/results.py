"""Store results on the images of a data set (pairs, patients, 1-NN baseline, audit) once for all image sizes."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pandas as pd

from brain_tumor.data.fingerprint import FINGERPRINT_VERSION
from brain_tumor.data.readers.reading import READING_VERSION
from brain_tumor.run_dir.atomic import hold_lock, published_file

T = TypeVar("T")


def results_folder(cache_dir: Path, facts: pd.DataFrame) -> Path:
    """Create the folder for results on these images, and record that it is used.

    Fingerprints and facts are made from the images at their own size: whatever follows from them depends neither on the
    size of the decoded images, nor on the split or the augmentation.

    Args:
        cache_dir: Folder of the cache.
        facts: One row per image, in the order of the rows that results refer to: ``content`` (file format and digest),
            ``pixels`` and ``error``, see `brain_tumor.data.cache.decoding.Decoded`.
    """
    digest = hashlib.sha256(f"{READING_VERSION} {FINGERPRINT_VERSION}".encode())
    for content, pixels, error in zip(facts["content"], facts["pixels"], facts["error"], strict=True):
        digest.update(f"\n{content} {pixels} {'unreadable' if error else ''}".encode())
    folder = cache_dir / f"results-{digest.hexdigest()[:16]}"
    with suppress(OSError):  # the cache may be read-only
        folder.mkdir(exist_ok=True)
        (folder / "used").touch()
    return folder


def read_result(folder: Path | None, name: str) -> bytes | None:
    """Read a stored result; None if it is missing or damaged."""
    if folder is None:
        return None
    try:
        checksum, content = (folder / name).read_bytes().split(b"\n", 1)
    except (OSError, ValueError):
        return None
    return content if checksum == _checksum(content) else None


def write_result(folder: Path | None, name: str, content: bytes) -> None:
    """Store a result behind a line with its checksum; readers see the old one or the complete new one."""
    if folder is None:
        return
    with suppress(OSError), published_file(folder / name) as draft:  # the cache may be read-only
        draft.write_bytes(_checksum(content) + b"\n" + content)


def stored_result(
    folder: Path | None,
    name: str,
    activity: str,
    compute: Callable[[], T],
    to_bytes: Callable[[T], bytes],
    from_bytes: Callable[[bytes], T],
) -> T:
    """Read a result, or compute and store it if it is missing or damaged; of several processes one computes.

    Args:
        folder: Folder of results; None stores nothing.
        name: Name of the file, with the version of the computation and all inputs that ``folder`` does not depend on.
        activity: What ``compute`` does, for the log of the waiting processes: "compares these images".
        compute: Function that computes the result.
        to_bytes: Function that serialises it.
        from_bytes: Function that reads it back.
    """
    if folder is None:
        return compute()
    content = read_result(folder, name)
    if content is None:
        with hold_lock(folder.with_name(f"{folder.name}-{name}"), activity):
            content = read_result(folder, name)
            if content is None:
                content = to_bytes(compute())
                write_result(folder, name, content)
    return from_bytes(content)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
