"""Download a file over HTTP, with resume and checksum, and unpack archives safely."""

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
"""Number of attempts after which a transient error counts as a permanent one."""
PAUSE = 2.0
"""Seconds before the second attempt; doubled before each further one."""
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO)
"""Numbers of an `OSError` that comes from the disk and not from the network."""
_TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
_CHUNK = 1 << 20
_TRANSIENT = (HTTPStatus.TOO_MANY_REQUESTS, *(status for status in HTTPStatus if status >= 500))
_MAX_DEPTH = 3
"""Levels of archives inside archives that are unpacked."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the repository that offers it describes it."""

    name: str
    """File name."""
    url: str
    """Address of the download."""
    size: int
    """Size in bytes."""
    md5: str
    """Hexadecimal MD5 checksum; empty where the repository states none."""


class DownloadError(DataError):
    """A file could not be downloaded; the message gives the reason, and the caller adds what to do."""


def download(file: RemoteFile, folder: Path, advance: Callable[[int], None]) -> Path:
    """Download a file into a folder, unless it is there; an incomplete download is resumed.

    Args:
        file: File to download.
        folder: Existing folder; an incomplete download is kept there as ``NAME.part``.
        advance: Called with the number of bytes that were downloaded, in earlier attempts too; negative where bytes
            are discarded.

    Raises:
        DownloadError: The file cannot be downloaded, or has another size or checksum than the repository states.
        OSError: The disk is full or cannot be written.
    """
    path = folder / file.name
    if path.is_file():  # it has this name only since its checksum was verified
        advance(file.size)
        return path
    part = folder / f"{file.name}.part"
    advance(_size(part))
    with_retries(lambda: _resume(file, part, advance), file.name)
    if _size(part) != file.size or (file.md5 and _md5(part) != file.md5):
        part.unlink()
        raise DownloadError(
            f"{file.name} was damaged in transfer and is removed: expected {file.size:,} bytes with the checksum "
            f"{file.md5}"
        )
    part.replace(path)
    return path


def with_retries(action: Callable[[], None], name: str) -> None:
    """Call a function that uses the network, and repeat it after transient errors.

    Args:
        action: Function to call.
        name: Name of what is downloaded, for the error message.

    Raises:
        DownloadError: All attempts failed.
        OSError: The disk is full or cannot be written.
    """
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            if attempt + 1 == ATTEMPTS:
                reason = getattr(error, "reason", error)
                raise DownloadError(f"{name} cannot be downloaded ({reason})") from error
            time.sleep(PAUSE * 2**attempt)
    return None


def open_url(url: str, start: int = 0) -> HTTPResponse:
    """Open a file on a web server.

    Args:
        url: Address of the file.
        start: First byte to read; a server may ignore it and send the whole file.

    Raises:
        DownloadError: The server refuses permanently, or ``url`` is no web address.
        OSError: The server cannot be reached, or has a transient error.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no web address")
    headers = {"User-Agent": f"brain-tumor/{__version__}", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310 # checked above
    except HTTPError as error:
        error.close()  # the exception holds the open connection
        if error.code in _TRANSIENT:
            raise OSError(f"the server answers {error.code} {error.reason}") from error
        raise DownloadError(f"{url} answers {error.code} {error.reason}") from error
    return response


def _resume(file: RemoteFile, part: Path, advance: Callable[[int], None]) -> None:
    present = _size(part)
    if present > file.size:
        part.unlink()
        advance(-present)
        present = 0
    if present == file.size:
        part.touch()
        return
    with open_url(file.url, start=present) as response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        if present and not resumed:
            advance(-present)
        with part.open("ab" if resumed else "wb") as sink:
            while chunk := response.read(_CHUNK):
                sink.write(chunk)
                advance(len(chunk))
    if _size(part) < file.size:
        raise OSError("the connection was interrupted")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def unpack(archive: Path, folder: Path, depth: int = 0) -> None:
    """Unpack a zip archive, and the archives inside it, into a folder.

    Args:
        archive: Path of the archive.
        folder: Target folder.
        depth: Number of archives that this one is inside of.

    Raises:
        DataError: The archive is damaged or encrypted, too deeply nested, or has a member outside the folder.
        OSError: The disk is full or cannot be written.
    """
    if depth > _MAX_DEPTH:
        raise DataError(f"{archive} has more than {_MAX_DEPTH} levels of archives inside archives: unpack it by hand.")
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            targets = [folder / _safe_path(member, archive) for member in members]
            for member, target in zip(members, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}): remove it and fetch it again.") from error
    for target in targets:
        if target.suffix.lower() == ".zip":
            inner = target.replace(target.with_name(f".{depth}.{target.name}"))  # it may contain a file of its own name
            unpack(inner, target.parent, depth + 1)
            inner.unlink()


def _safe_path(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(
            f"{archive} has the member {member.filename!r}, which would be outside the target folder: do not trust it."
        )
    return path
