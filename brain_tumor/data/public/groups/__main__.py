"""Make the shipped tables: ``python -m brain_tumor.data.public.groups SET/groups.csv… [--to DIR]``, all sets at once.

The ``sha256`` in each ``groups.csv`` must be that of the original files.
"""

import argparse
import lzma
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brain_tumor.data.public.groups.shipped import COLUMNS, DIGITS, FOLD, GROUP, KEY, PATIENT, SUFFIX
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError

_REQUIRED = ("sha256", GROUP, FOLD, PATIENT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``SET.csv.xz`` for each ``SET/groups.csv``; exit with code 2 after a user error.

    Args:
        arguments: Command-line arguments; None takes those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m brain_tumor.data.public.groups", description="Make the shipped tables of curated groups."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="GROUPS_CSV", help="SET/groups.csv of all sets")
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).with_name("tables"), metavar="DIR", help="default: in the package"
    )
    parsed = parser.parse_args(arguments)
    try:
        tables = pack_tables(parsed.files)
    except DataError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    parsed.to.mkdir(parents=True, exist_ok=True)
    for name, packed in tables.items():
        file = parsed.to / f"{name}{SUFFIX}"
        file.write_bytes(packed)
        print(f"{file}: {len(packed):,} bytes")


def pack_tables(files: Sequence[Path]) -> dict[str, bytes]:
    """Pack the ``groups.csv`` of each set.

    Rows are sorted by group, patient and key, which compresses best, and xz files contain no time: the same CSV gives
    the same bytes. A file that a set contains twice has one row.

    Args:
        files: Paths of the form ``SET/groups.csv``.

    Returns:
        Name of the set → its table as an xz-compressed CSV.

    Raises:
        DataError: A CSV is unreadable, lacks a column, or has an invalid hash; or a file, group or patient has
            different values within a set or, except for folds, between sets.
    """
    tables = {file.resolve().parent.name: _read(file) for file in files}
    if tables:
        joined = pd.concat(tables.values())
        _require_consistent(joined, KEY, (GROUP, PATIENT), "the sets")
        _require_consistent(joined[joined[PATIENT] != ""], PATIENT, (GROUP,), "the sets")
    return {name: _pack(table) for name, table in tables.items()}


def _read(file: Path) -> pd.DataFrame:
    rows = read_table(file)
    missing = [column for column in _REQUIRED if column not in rows.columns]
    if missing:
        raise DataError(f"{file} has no column {' and no column '.join(missing)}: expected {', '.join(_REQUIRED)}.")
    invalid = rows[~rows["sha256"].str.fullmatch("[0-9a-f]{64}") | ~rows[GROUP].str.fullmatch("[0-9]+")]
    if len(invalid):
        raise DataError(
            f"{file}: {len(invalid)} rows have an invalid sha256 or group, first row {invalid.index[0] + 2}: expected "
            "64 hexadecimal digits and a whole number."
        )
    keyed = rows.assign(**{KEY: rows["sha256"].str[:DIGITS]})
    _require_consistent(keyed, KEY, ("sha256",), str(file))
    table = keyed[list(COLUMNS)].drop_duplicates()
    _require_consistent(table, KEY, (GROUP, FOLD, PATIENT), str(file))
    _require_consistent(table, GROUP, (FOLD,), str(file))
    return table


def _require_consistent(table: pd.DataFrame, key: str, columns: Sequence[str], place: str) -> None:
    """Refuse a table in which rows with the same key have different values of a column."""
    for column in columns:
        counts = table.groupby(key)[column].nunique()
        inconsistent = counts[counts > 1]
        if len(inconsistent):
            raise DataError(
                f"In {place} {len(inconsistent)} values of {key} have more than one {column}, first "
                f"{inconsistent.index[0]}: expected one."
            )


def _pack(table: pd.DataFrame) -> bytes:
    order = table.assign(number=table[GROUP].astype(int)).sort_values(["number", PATIENT, KEY]).index
    text = table.loc[order].to_csv(index=False, lineterminator="\n")
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    main()
