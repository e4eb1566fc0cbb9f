"""What is known of a public data set before it is downloaded; imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

NOT_VERIFIED = "not verified"
"""Stands where no source at hand states a fact; a user is to look it up."""

Counts: TypeAlias = Mapping[str, Mapping[str, int]]
"""Split (``train``, ``test``, or empty where none is published) → class in canonical spelling → images."""


@dataclass(frozen=True)
class Release:
    """One published state of a set."""

    version: str
    """As its publisher counts; empty where there is one only, or it is not known."""
    counts: Counts
    """Images that are used, by split and class."""

    @property
    def total(self) -> int:
        """Images in all."""
        return sum(sum(classes.values()) for classes in self.counts.values())


@dataclass(frozen=True)
class PublicSet:
    """A public data set: where it is, what may be done with it, how it lies on disk, and what is wrong with it."""

    name: str
    """``data=NAME``."""
    title: str
    """As its publisher calls it."""
    page: str
    """Address of the page where a person can read about it and download it."""
    source: str
    """Where `fetch` gets it: ``kaggle:OWNER/NAME[/versions/N]``, ``figshare:ARTICLE`` or ``zenodo:RECORD``."""
    licence: str
    """And who says so."""
    citation: str
    """To be given in a publication."""
    layout: str
    """Folders as one expects them, in a few words, for messages."""
    folders: Mapping[str, str]
    """Class folder, in lower case → class in canonical spelling."""
    releases: tuple[Release, ...]
    """The first is the one that `fetch` gets and that findings in `remarks` are about."""
    remarks: tuple[str, ...]
    """What a user must know: leaks, label faults, shortcuts."""
    parts: Mapping[str, str] | None = None
    """Folder of a published split, in lower case → split; nothing where none is published."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in canonical spelling."""
        return tuple(sorted(set(self.folders.values())))
