"""Unpack archives of strangers: nothing leaves the folder, archives inside archives are unpacked too."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from brain_tumor.errors import DataError

_DEPTH = 3  # archives inside archives


def unpack(archive: Path, folder: Path, depth: int = 0) -> None:
    """Unpack a zip archive into a folder.

    Raises:
        DataError: It is damaged or locked, nests too deep, or holds something that would lie outside the folder.
        OSError: The disk is full or cannot be written.
    """
    if depth > _DEPTH:
        raise DataError(f"{archive} holds archives inside archives inside archives; unpack it by hand.")
    try:
        with zipfile.ZipFile(archive) as opened:
            targets = [(member, folder / _safe(member, archive)) for member in opened.infolist() if not member.is_dir()]
            for member, target in targets:
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); remove it and fetch it again.") from error
    for _, target in targets:
        if target.suffix.lower() == ".zip":
            inner = target.replace(target.with_name(f".{depth}.{target.name}"))  # it may hold a file of its own name
            unpack(inner, target.parent, depth + 1)
            inner.unlink()


def _safe(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(f"{archive} holds {member.filename!r}, which would lie outside its folder; do not trust it.")
    return path
