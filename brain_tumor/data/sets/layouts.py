"""From a set's name to the module that reads its layout, and what lies in a folder of unknown name."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from brain_tumor.data.sets import brisc, cheng, folders
from brain_tumor.data.sets.counting import differences
from brain_tumor.data.sets.published import PublicSet
from brain_tumor.data.sets.registry import SETS, named
from brain_tumor.errors import DataError

log = logging.getLogger(__name__)

_READERS: Mapping[str, Callable[[PublicSet, Path], pd.DataFrame]] = {"brisc2025": brisc.read, "cheng": cheng.read}
_ASIDE = ("pred", "br35h-mask-rcnn")  # what only br35h has beside yes/ and no/


def load(name: str, root: str | Path) -> pd.DataFrame:
    """As `brain_tumor.data.sets.public_set`."""
    published = named(name)
    samples = samples_of(published, existing(root))
    log.info("%s: licence %s. Cite: %s.", published.name, published.licence, published.citation)
    if differing := differences(published, samples):
        log.warning("%s is not as published: %s.", root, "; ".join(differing))
    return samples


def samples_of(published: PublicSet, root: Path) -> pd.DataFrame:
    """The samples table, without a word."""
    samples = _READERS.get(published.name, folders.read)(published, root)
    if samples.empty:
        raise folders.wrong_layout(published, root)
    samples["source"] = published.name
    return samples


def existing(root: str | Path) -> Path:
    """The folder, absolute.

    Raises:
        DataError: There is none.
    """
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DataError(f"{root} is {'a file' if path.exists() else 'missing'}; expected the folder of a public set.")
    return path.resolve()


def recognise(root: Path) -> PublicSet | None:
    """Which set lies here, by the names of its files and folders."""
    if cheng.metadata(root) or cheng.mat_files(root):
        return SETS["cheng"]
    if brisc.home(root):
        return SETS["brisc2025"]
    found = {name: folders.home(SETS[name], root) for name in SETS if name not in _READERS}
    fitting = [name for name, home in found.items() if home is not None]
    if "br35h" in fitting:  # and navoneel, of the same folder names
        return SETS["br35h" if _is_br35h(found["br35h"] or root) else "navoneel"]
    return SETS[fitting[0]] if len(fitting) == 1 else None


def _is_br35h(home: Path) -> bool:
    inside = folders.children(home)
    return any(name in inside for name in _ASIDE) or any(
        path.stem[1:].isdigit() and path.name.startswith("y") for path in inside["yes"].iterdir()
    )
