"""What files hold, as digests; a file that has not changed since is not read again."""

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import source_file
from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_file

Known = Mapping[str, tuple[str, str]]
"""Reference → when its file was last changed, and the digest it had then."""


def digests(references: Sequence[str], memory: Path | None = None) -> list[str]:
    """sha256 of the file of each reference, or of the file and the slice that it names.

    Args:
        references: Paths, or ``FILE#SLICE``.
        memory: Folder in which digests are remembered, in a table for each folder of files, so that any part of a
            data set, and more of it, is known as well. None reads every file.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    file_of = {reference: str(source_file(reference)) for reference in references}
    changed = {file: _changed(file) for file in set(file_of.values())}
    folders = {os.path.dirname(file) for file in changed}  # noqa: PTH120 - Path takes seconds for 100,000 files
    known = {reference: entry for folder in folders for reference, entry in _recall(memory, folder).items()}
    stale: dict[str, list[str]] = {}
    for reference, file in file_of.items():
        if known.get(reference, ("", ""))[0] != changed[file]:
            stale.setdefault(file, []).append(reference)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = pool.map(_digests, stale, stale.values())
        for file, found in zip(stale, progress(read, "Reading files", len(stale)), strict=True):
            known |= {reference: (changed[file], digest) for reference, digest in found.items()}
    _remember(memory, known, {os.path.dirname(file) for file in stale})  # noqa: PTH120
    return [known[reference][1] for reference in references]


def _changed(file: str) -> str:
    """Length and times: content cannot change without the second of them, whatever a copying program does."""
    try:
        stat = os.stat(file)  # noqa: PTH116
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _digests(file: str, references: Sequence[str]) -> dict[str, str]:
    try:
        with Path(file).open("rb") as content:
            whole = hashlib.file_digest(content, "sha256")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    found = {}
    for reference in references:
        digest = whole.copy()
        digest.update(reference[len(file) :].encode())
        found[reference] = digest.hexdigest()
    return found


def _table(memory: Path, folder: str) -> Path:
    return memory / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.csv"


def _recall(memory: Path | None, folder: str) -> dict[str, tuple[str, str]]:
    if memory is None:
        return {}
    try:
        with _table(memory, folder).open(newline="", encoding="utf-8", errors="surrogateescape") as table:
            return {reference: (changed, digest) for reference, changed, digest in csv.reader(table)}
    except (OSError, ValueError, csv.Error):  # a table that is not there or not whole is recomputed
        return {}


def _remember(memory: Path | None, known: Known, folders: set[str]) -> None:
    if memory is None or not folders:
        return
    rows: dict[str, list[tuple[str, str, str]]] = {folder: [] for folder in folders}
    for reference, entry in known.items():
        if (home := os.path.dirname(source_file(reference))) in rows:  # noqa: PTH120
            rows[home].append((reference, *entry))
    with suppress(OSError):  # the cache may be read-only
        memory.mkdir(parents=True, exist_ok=True)
        for folder, table in rows.items():
            with (
                published_file(_table(memory, folder)) as draft,
                draft.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
            ):
                csv.writer(file).writerows(table)
