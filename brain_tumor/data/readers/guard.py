"""What keeps a foreign parser's noise, and the patient data it may quote, out of messages and logs."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_tumor.errors import DataError

_LOCK = threading.RLock()  # warning filters and log levels belong to the whole process
_LOGGERS = ("pydicom", "nibabel")


class UnreadableError(Exception):
    """What is wrong with a file, without its name: the end of a sentence that starts with it."""


@contextmanager
def guard(file: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into one sentence about ``file``.

    Parsers meet damaged bytes with any exception there is, and their texts quote header values; so neither the text nor
    the traceback goes on.

    Raises:
        DataError: Something went wrong.
    """
    try:
        yield
    except UnreadableError as fault:
        raise DataError(f"{file} {fault}.") from None
    except Exception:
        raise DataError(f"{file} cannot be decoded: it is damaged, cut short or of another format.") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Let no warning and no log record of pydicom or nibabel out; one thread at a time."""
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
