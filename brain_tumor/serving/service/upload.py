"""The files of a request, read into memory: nothing of them is ever written to a disk."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from pathlib import PurePosixPath
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import named
from brain_tumor.errors import DataError
from brain_tumor.serving.service.limits import Limits, TooLargeError


class TooSlowError(DataError):
    """A request did not arrive in time."""


class UnreadableRequestError(DataError):
    """The body of a request is no form with files."""


async def receive(request: Request, limits: Limits) -> list[MemoryFile]:
    """Read the files of a request, ``multipart/form-data`` with any field names, or one file as the body.

    The size is enforced while the body arrives, before it is parsed.

    Args:
        request: Request whose body was not read.
        limits: What it may hold.

    Raises:
        TooLargeError: It has too many bytes or files.
        TooSlowError: It does not arrive within ``limits.upload_seconds``.
        UnreadableRequestError: It holds no file, or is no form.
    """
    most = int(1e6 * limits.megabytes)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                return await _form(request, limits)
            content = b"".join([chunk async for chunk in _bounded(request, limits)])
    except TimeoutError:
        raise TooSlowError(f"The request did not arrive within {limits.upload_seconds:g} s; send it again.") from None
    except ClientDisconnect:
        raise UnreadableRequestError("The request ended before it was complete.") from None
    if not content:
        raise UnreadableRequestError("The request is empty; send files as multipart/form-data, or one as the body.")
    return [named(content)]


async def _form(request: Request, limits: Limits) -> list[MemoryFile]:
    _, options = parse_options_header(request.headers["content-type"])
    form = _Form(limits.files)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        async for chunk in _bounded(request, limits):
            parser.write(chunk)
        parser.finalize()
    except (KeyError, FormParserError) as error:
        raise UnreadableRequestError("The request is no form that can be read; send multipart/form-data.") from error
    if not form.is_complete:
        raise UnreadableRequestError("The request ends before its form does; send it again.")
    if not form.files:
        raise UnreadableRequestError("The request holds no file; send at least one as multipart/form-data.")
    files: dict[str, MemoryFile] = {}
    for name, content in form.files:
        file = named(bytes(content), name)
        name = _free(str(file), files)
        files[name] = MemoryFile(PurePosixPath(name), file.content)
    return list(files.values())


class _Form:
    """The files of a form, filled by the callbacks of a parser; its other fields are ignored."""

    def __init__(self, most: int) -> None:
        self.files: list[tuple[str, bytearray]] = []
        self.is_complete = False
        self._most, self._header, self._value, self._headers = most, b"", b"", dict[bytes, bytes]()
        self._current: bytearray | None = None

    def callbacks(self) -> Any:
        """Return the callbacks of `python_multipart.MultipartParser`."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._current = None
        if b"filename" in options:
            if len(self.files) >= self._most:
                raise TooLargeError(f"The request has more than {self._most} files; send fewer at a time.")
            self._current = bytearray()
            self.files.append((options[b"filename"].decode("utf-8", "replace"), self._current))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is not None:
            self._current += data[start:end]

    def _on_end(self) -> None:
        self.is_complete = True


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name that no other file has: ``2/scan.png`` for a second ``scan.png``."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{number}/{name}"
    return free


async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Yield the body; stop once it is larger than it may be."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > 1e6 * limits.megabytes:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> TooLargeError:
    return TooLargeError(
        f"The request is larger than {limits.megabytes:g} MB, the most that is accepted; send fewer files at a time."
    )
