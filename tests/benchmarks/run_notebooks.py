"""Run the notebooks from top to bottom and keep their outputs, which readers see on GitHub: ``make pictures``.

python tests/benchmarks/run_notebooks.py 02 03    these alone
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_TEMPORARY = re.compile(rf"{re.escape(tempfile.gettempdir())}/tmp\w+/?")  # noqa: S108 - only left out
"""Folder of a notebook, which is left out of paths."""
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the notebooks whose names start with one of the arguments, or all."""
    wanted = tuple(sys.argv[1:] if arguments is None else arguments) or ("",)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if path.name.startswith(wanted):
            print(path.name, flush=True)
            notebook = nbformat.read(path, as_version=4)
            with tempfile.TemporaryDirectory() as folder:
                NotebookClient(notebook, coalesce_streams=True, resources={"metadata": {"path": folder}}).execute()
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)  # times of day
                for output in cell.get("outputs", []):
                    if "text" in output:
                        output["text"] = _TEMPORARY.sub("", output["text"])
            nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
