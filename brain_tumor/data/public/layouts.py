"""Read a public set, whatever its layout, and recognise which set a folder holds."""

from collections.abc import Callable, Mapping
from pathlib import Path

from brain_tumor.data.listing import Listing
from brain_tumor.data.public import brisc, cheng, folders
from brain_tumor.data.public.registry import SETS, PublicSet
from brain_tumor.errors import DataError

_READERS: Mapping[str, Callable[[PublicSet, Path], Listing]] = {"brisc2025": brisc.read, "cheng": cheng.read}
"""Name of a set → reader of its layout; all other sets are class folders."""
_BR35H_FOLDERS = ("pred", "br35h-mask-rcnn")
"""Folders that br35h has and navoneel has not."""


def read_samples(dataset: PublicSet, root: Path) -> Listing:
    """Read the samples of a set.

    Raises:
        DataError: ``root`` does not have the layout of the set.
    """
    samples, left_out = _READERS.get(dataset.name, folders.read)(dataset, root)
    if samples.empty:
        raise folders.wrong_layout(dataset, root)
    return Listing(samples.assign(source=dataset.name), left_out)


def existing_folder(root: str | Path) -> Path:
    """Return the absolute path of a folder.

    Raises:
        DataError: The folder does not exist.
    """
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DataError(f"{root} is {'a file' if path.exists() else 'missing'}: expected the folder of a public set.")
    return path.resolve()


def recognise(root: Path) -> PublicSet | None:
    """Recognise which set a folder holds by the names of its files and folders; None where that is not clear."""
    if cheng.is_cheng(root):
        return SETS["cheng"]
    if brisc.task_folder(root):
        return SETS["brisc2025"]
    tops = {name: folders.top_folder(SETS[name], root) for name in SETS if name not in _READERS}
    matching = [name for name, top in tops.items() if top is not None]
    if tops["br35h"] is not None:  # navoneel has the same class folders
        return SETS["br35h" if _is_br35h(tops["br35h"]) else "navoneel"]
    return SETS[matching[0]] if len(matching) == 1 else None


def _is_br35h(top: Path) -> bool:
    subfolders = folders.subfolders(top)
    return any(name in subfolders for name in _BR35H_FOLDERS) or any(
        path.stem[1:].isdigit() and path.name.startswith("y") for path in subfolders["yes"].iterdir()
    )
