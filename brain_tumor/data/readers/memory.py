"""Files that lie in memory: what a server receives is read without being written to a disk."""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath


@dataclass(frozen=True, order=True)
class MemoryFile:
    """The content of a file and the name it came with; readers take it in place of a path."""

    path: PurePosixPath
    """Name, with the folders it came in; nothing is looked for there."""
    content: bytes = field(compare=False, repr=False)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Last part of the name."""
        return self.path.name

    @property
    def suffix(self) -> str:
        """End of the name from its last dot on."""
        return self.path.suffix

    @property
    def parent(self) -> PurePosixPath:
        """Name of the folder it came in."""
        return self.path.parent

    def relative_to(self, home: PurePath) -> PurePosixPath:
        """Return the name below a folder."""
        return self.path.relative_to(home)

    def is_file(self) -> bool:
        """Whether there is content: always."""
        return True

    def open(self, mode: str = "rb") -> BytesIO:
        """Open the content for reading."""
        return BytesIO(self.content)


File = Path | MemoryFile
"""A file on disk or in memory; both have ``name``, ``suffix``, ``parent`` and ``open("rb")``."""


def source(file: File) -> Path | BytesIO:
    """Return what parsers accept: the path of a file on disk, the opened content of one in memory."""
    return file if isinstance(file, Path) else file.open()
