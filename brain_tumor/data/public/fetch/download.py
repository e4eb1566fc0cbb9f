"""One file over HTTP, resumable and checked by its checksum; archives are unpacked safely."""

import errno
import hashlib
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from brain_tumor import __version__
from brain_tumor.errors import DataError

ATTEMPTS = 4
"""Before a passing fault counts as a lasting one."""
PAUSE = 2.0
"""Seconds before the second attempt; twice as long before each further one."""
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO)
"""What an `OSError` of the disk, and not of the network, is numbered."""
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20
_PASSING = (HTTPStatus.TOO_MANY_REQUESTS, *(status for status in HTTPStatus if status >= 500))


@dataclass(frozen=True)
class RemoteFile:
    """A file that a repository offers, as the repository describes it."""

    name: str
    url: str
    size: int
    """Bytes."""
    md5: str
    """Hexadecimal; empty where the repository states none."""


class DownloadError(DataError):
    """Something could not be downloaded; says why, not yet what to do instead."""


def open_url(url: str, start: int = 0) -> HTTPResponse:
    """Ask for a file from a byte on.

    Raises:
        DownloadError: The server refuses.
        OSError: It cannot be reached, or has a passing fault.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no web address")
    headers = {"User-Agent": f"brain-tumor/{__version__}", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310 # checked above
    except HTTPError as error:
        error.close()  # it is the open connection as well
        if error.code in _PASSING:
            raise OSError(f"the server answers {error.code} {error.reason}") from error
        raise DownloadError(f"{url} answers {error.code} {error.reason}") from error
    return response


def patiently(do: Callable[[], None], what: str) -> None:
    """Do something over the network, again where a fault may pass.

    Raises:
        DownloadError: It does not work, however often tried.
    """
    for attempt in range(ATTEMPTS):
        try:
            return do()
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_FAULTS:
                raise
            if attempt + 1 == ATTEMPTS:
                reason = getattr(error, "reason", error)
                raise DownloadError(f"{what} cannot be downloaded ({reason})") from error
            time.sleep(PAUSE * 2**attempt)
    return None


def download(file: RemoteFile, folder: Path, advance: Callable[[int], None]) -> Path:
    """Bring a file into a folder; what is there whole already is left alone.

    Args:
        file: What and where from.
        folder: Exists; a part that has come so far lies there as ``NAME.part``.
        advance: Called with the bytes that have come, those of an earlier attempt included; negative if they go again.

    Raises:
        DownloadError: It cannot be reached, or what came is not what the repository describes.
        OSError: The disk is full or cannot be written.
    """
    path = folder / file.name
    if path.is_file():  # it got its name only after its checksum was right
        advance(file.size)
        return path
    part = folder / f"{file.name}.part"
    advance(_size(part))
    patiently(lambda: _go_on(file, part, advance), file.name)
    if _size(part) != file.size or (file.md5 and _md5(part) != file.md5):
        part.unlink()
        raise DownloadError(
            f"{file.name} arrived damaged and was removed: expected {file.size:,} bytes with the checksum {file.md5}"
        )
    part.replace(path)
    return path


def _go_on(file: RemoteFile, part: Path, advance: Callable[[int], None]) -> None:
    if (have := _size(part)) > file.size:
        part.unlink()
        advance(-have)
    if (have := _size(part)) == file.size:
        part.touch()
        return
    with open_url(file.url, start=have) as response:
        goes_on = response.status == HTTPStatus.PARTIAL_CONTENT
        if have and not goes_on:
            advance(-have)
        with part.open("ab" if goes_on else "wb") as sink:
            while chunk := response.read(_CHUNK):
                sink.write(chunk)
                advance(len(chunk))
    if _size(part) < file.size:
        raise OSError("the connection broke off")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


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
