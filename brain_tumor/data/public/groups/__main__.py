"""``python -m brain_tumor.data.public.groups GROUPS_CSV… [--to DIR]``: make the tables that ship, all sets at once."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from brain_tumor.data.public.groups.build_tables import make
from brain_tumor.data.public.groups.shipped import SUFFIX
from brain_tumor.errors import DataError

USER_MISTAKE = 2
"""Exit code."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``SET.csv.xz`` for each ``SET/groups.csv``; exits with 2 on a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m brain_tumor.data.public.groups", description="Make the tables of curated groups that ship."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="GROUPS_CSV", help="SET/groups.csv, for all sets")
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).with_name("tables"), metavar="DIR", help="default: into the package"
    )
    parsed = parser.parse_args(arguments)
    try:
        tables = make(parsed.files)
    except DataError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(USER_MISTAKE)
    parsed.to.mkdir(parents=True, exist_ok=True)
    for name, packed in tables.items():
        file = parsed.to / f"{name}{SUFFIX}"
        file.write_bytes(packed)
        print(f"{file}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
