"""``brain-tumor dashboard``: save a view of a wandb project that reads from the results to the curves."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from brain_tumor.errors import BrainTumorError
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import swept_keys
from brain_tumor.tracking.wandb.workspace import Sweep, make_workspace, outline, save_workspace

_EXAMPLES = """examples:
  brain-tumor dashboard brain-tumor                       of all runs
  brain-tumor dashboard brain-tumor --sweep runs/sweep    of a sweep, with parallel coordinates
  brain-tumor dashboard brain-tumor --dry-run             print its sections; send nothing
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb; exits with 2 if the view cannot be made or saved."""
    parser = argparse.ArgumentParser(
        prog="brain-tumor dashboard",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", help="project that runs were logged to (logger.wandb.project)")
    parser.add_argument("--entity", help="user or team that owns it; default: that of the API key")
    parser.add_argument("--sweep", type=Path, metavar="DIR", help="directory of a sweep: show its runs alone")
    parser.add_argument("--dry-run", action="store_true", help="print the sections of the view; send nothing")
    asked = parser.parse_args(arguments)
    try:
        sweep = _read_sweep(asked.sweep) if asked.sweep else None
        view = make_workspace(asked.project, asked.entity, sweep, offline=asked.dry_run)
        print("\n".join(outline(view)))
        if asked.dry_run:
            print("Nothing was sent (--dry-run).")
        else:
            save_workspace(view)
    except BrainTumorError as error:
        print(f"brain-tumor dashboard: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _read_sweep(folder: Path) -> Sweep:
    plan = Plan.read(folder)
    return Sweep(folder.resolve().name, swept_keys(plan), plan.metric or "val/f1_macro")


if __name__ == "__main__":
    main()
