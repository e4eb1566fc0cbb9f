"""Write the summary of a sweep again, from its run directories: ``python -m brain_tumor.sweeps SWEEP_DIR``."""

import sys
from pathlib import Path

from brain_tumor.errors import BrainTumorError
from brain_tumor.sweeps.summary import Summary


def main() -> None:
    """Write ``sweep.csv`` and ``sweep.html``, and print the table; exit with code 2 if there is no sweep."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m brain_tumor.sweeps SWEEP_DIR")
    try:
        Summary(Path(sys.argv[1]).absolute()).write_and_print()
    except BrainTumorError as error:
        print(f"brain-tumor: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
