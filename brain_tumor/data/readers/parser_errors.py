"""Hide the errors, warnings and log records of third-party parsers: their texts may quote patient data."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from brain_tumor.data.readers.memory import File
from brain_tumor.errors import DataError

_LOCK = threading.RLock()  # warning filters and log levels belong to the whole process
_LOGGERS = ("pydicom", "nibabel", "tifffile")


class UnreadableError(Exception):
    """A file cannot be read; the message is the rest of a sentence that begins with the file's name."""


@contextmanager
def as_data_error(file: File) -> Iterator[None]:
    """Replace any exception by one sentence about ``file``.

    Parsers raise exceptions of any type on damaged bytes, and their messages quote header values. Therefore neither
    the message nor the traceback of an exception other than `UnreadableError` is passed on.

    Raises:
        DataError: An exception was raised inside the context.
    """
    try:
        yield
    except UnreadableError as error:
        raise DataError(f"{file} {error}.") from None
    except Exception as error:
        raise DataError(
            f"{file} cannot be decoded ({type(error).__name__} in its parser): it may be damaged, truncated, or of a "
            "kind that is not supported; copy or export it again."
        ) from None


@contextmanager
def silence_parsers() -> Iterator[None]:
    """Suppress all warnings and log records of these parsers; only one thread at a time can be inside."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
