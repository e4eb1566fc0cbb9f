"""From a set's name to the module that reads its layout, and found against published counts."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from brain_tumor.data.public import brisc, cheng, folders
from brain_tumor.data.public.registry import SETS, Counts, PublicSet, Release, named
from brain_tumor.errors import DataError


def count(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by split and class, as `Release.counts`."""
    found: dict[str, dict[str, int]] = {}
    for split, label in zip(samples["split"], samples["label"], strict=True):
        classes = found.setdefault(split, {})
        classes[label] = classes.get(label, 0) + 1
    return found


def closest(published: PublicSet, found: Counts) -> Release:
    """The release whose counts differ least; of equals the first."""
    return min(published.releases, key=lambda release: sum(abs(n - m) for _, _, n, m in compare(release, found)))


def compare(release: Release, found: Counts) -> list[tuple[str, str, int, int]]:
    """Split, class, images found and images published, for every pair that is found or published."""
    pairs = sorted(
        {
            (split, label)
            for counts in (release.counts, found)
            for split, classes in counts.items()
            for label in classes
        },
        key=lambda pair: (pair[0] == "test", pair),
    )
    return [(split, label, _at(found, split, label), _at(release.counts, split, label)) for split, label in pairs]


def differences(published: PublicSet, samples: pd.DataFrame) -> list[str]:
    """What differs from the closest release, class by class; nothing where all is as published."""
    found = count(samples)
    return [
        f"{split} {label}".strip() + f" {images} instead of {expected}"
        for split, label, images, expected in compare(closest(published, found), found)
        if images != expected
    ]


def _at(counts: Counts, split: str, label: str) -> int:
    classes: Mapping[str, int] = counts.get(split, {})
    return classes.get(label, 0)


log = logging.getLogger(__name__)

_READERS: Mapping[str, Callable[[PublicSet, Path], pd.DataFrame]] = {"brisc2025": brisc.read, "cheng": cheng.read}
_ASIDE = ("pred", "br35h-mask-rcnn")  # what only br35h has beside yes/ and no/


def load(name: str, root: str | Path) -> pd.DataFrame:
    """As `brain_tumor.data.public.public_set`."""
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
