"""Make the tables that ship out of ``groups.csv`` files whose ``sha256`` is that of the original files."""

import lzma
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brain_tumor.data.public.groups.shipped import COLUMNS, DIGITS, FOLD, GROUP, KEY, PATIENT
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError

_WRITTEN = ("sha256", GROUP, FOLD, PATIENT)


def make(files: Sequence[Path]) -> dict[str, bytes]:
    """Pack ``groups.csv`` files, one per set.

    Rows are sorted by group, patient and key, which packs best, and xz files carry no time: the same CSV gives the same
    bytes. One file that lies in a set twice is kept once.

    Args:
        files: Each named after its set by the folder it lies in.

    Returns:
        Set → its table as an xz-packed CSV.

    Raises:
        DataError: A CSV is unreadable or lacks a column, a hash is none, or what is said of a file, a group or a
            patient differs within a set or, but for folds, between the sets.
    """
    tables = {file.resolve().parent.name: _table(file) for file in files}
    if tables:
        joined = pd.concat(tables.values())
        _same(joined, KEY, (GROUP, PATIENT), "the sets")
        _same(joined[joined[PATIENT] != ""], PATIENT, (GROUP,), "the sets")
    return {name: _packed(table) for name, table in tables.items()}


def _table(file: Path) -> pd.DataFrame:
    written = read_table(file)
    if missing := [column for column in _WRITTEN if column not in written.columns]:
        raise DataError(f"{file} has no column {' and no column '.join(missing)}; expected {', '.join(_WRITTEN)}.")
    bad = written[~written["sha256"].str.fullmatch("[0-9a-f]{64}") | ~written[GROUP].str.fullmatch("[0-9]+")]
    if len(bad):
        raise DataError(
            f"{file}: {len(bad)} rows have no sha256 of 64 digits or no group number, first row {bad.index[0] + 2}; "
            "fill them."
        )
    _same(written.assign(**{KEY: written["sha256"].str[:DIGITS]}), KEY, ("sha256",), str(file))
    table = written.assign(**{KEY: written["sha256"].str[:DIGITS]})[list(COLUMNS)].drop_duplicates()
    _same(table, KEY, (GROUP, FOLD, PATIENT), str(file))
    _same(table, GROUP, (FOLD,), str(file))
    return table


def _same(table: pd.DataFrame, key: str, columns: Sequence[str], where: str) -> None:
    """Refuse a key of which different things are said."""
    for column in columns:
        counts = table.groupby(key)[column].nunique()
        torn = counts[counts > 1]
        if len(torn):
            raise DataError(
                f"In {where} {len(torn)} values of {key} have more than one {column}, first {torn.index[0]}; "
                "expected one."
            )


def _packed(table: pd.DataFrame) -> bytes:
    order = table.assign(number=table[GROUP].astype(int)).sort_values(["number", PATIENT, KEY]).index
    text = table.loc[order].to_csv(index=False, lineterminator="\n")
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
