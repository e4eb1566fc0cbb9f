"""SHA-256 digests of file contents; files that have not changed are not read again."""

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

Entries = Mapping[str, tuple[str, str]]
"""Reference → state of its file (`_file_state`) and the digest of the reference in that state."""


def digests(references: Sequence[str], table_dir: Path | None = None) -> list[str]:
    """Compute the SHA-256 of the file of each reference, or of the file and the slice name.

    Args:
        references: Paths of files, or ``FILE#SLICE``.
        table_dir: Folder that stores known digests, one table per folder of files, so that subsets and extensions of
            a data set are known, too. None reads every file.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    file_of = {reference: str(source_file(reference)) for reference in references}
    states = {file: _file_state(file) for file in set(file_of.values())}
    folders = {os.path.dirname(file) for file in states}  # noqa: PTH120 - Path takes seconds for 100,000 files
    entries = {reference: entry for folder in folders for reference, entry in _read_table(table_dir, folder).items()}
    stale: dict[str, list[str]] = {}
    for reference, file in file_of.items():
        if entries.get(reference, ("", ""))[0] != states[file]:
            stale.setdefault(file, []).append(reference)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        computed = pool.map(_compute_digests, stale, stale.values())
        for file, file_digests in zip(stale, progress(computed, "Reading files", len(stale)), strict=True):
            entries |= {reference: (states[file], digest) for reference, digest in file_digests.items()}
    _write_tables(table_dir, entries, {os.path.dirname(file) for file in stale})  # noqa: PTH120
    return [entries[reference][1] for reference in references]


def _file_state(file: str) -> str:
    """Return size and times of a file: its content cannot change without the time of the last status change."""
    try:
        stat = os.stat(file)  # noqa: PTH116
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _compute_digests(file: str, references: Sequence[str]) -> dict[str, str]:
    try:
        with Path(file).open("rb") as content:
            file_digest = hashlib.file_digest(content, "sha256")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    computed = {}
    for reference in references:
        digest = file_digest.copy()
        digest.update(reference[len(file) :].encode())
        computed[reference] = digest.hexdigest()
    return computed


def _table_path(table_dir: Path, folder: str) -> Path:
    return table_dir / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.csv"


def _read_table(table_dir: Path | None, folder: str) -> dict[str, tuple[str, str]]:
    if table_dir is None:
        return {}
    try:
        with _table_path(table_dir, folder).open(newline="", encoding="utf-8", errors="surrogateescape") as table:
            return {reference: (state, digest) for reference, state, digest in csv.reader(table)}
    except (OSError, ValueError, csv.Error):  # a missing or damaged table is recomputed
        return {}


def _write_tables(table_dir: Path | None, entries: Entries, folders: set[str]) -> None:
    if table_dir is None or not folders:
        return
    rows: dict[str, list[tuple[str, str, str]]] = {folder: [] for folder in folders}
    for reference, entry in entries.items():
        folder = os.path.dirname(source_file(reference))  # noqa: PTH120
        if folder in rows:
            rows[folder].append((reference, *entry))
    with suppress(OSError):  # the cache may be read-only
        table_dir.mkdir(parents=True, exist_ok=True)
        for folder, table in rows.items():
            with (
                published_file(_table_path(table_dir, folder)) as draft,
                draft.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
            ):
                csv.writer(file).writerows(table)
