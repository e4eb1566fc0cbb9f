"""The log of the server: one JSON object per line, without pixels, names of files, addresses or patient data."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

FIELDS = "fields"
"""Attribute of a log record with a dictionary of its own fields."""


class JsonLines(logging.Formatter):
    """Write a record as one JSON object: time, level, event, its own fields, and where an error arose."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1]:
            line |= described(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def described(error: BaseException) -> dict[str, Any]:
    """Describe an error by its kind and place; its message may hold the name of a patient's file, and is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno}" for frame in frames]}


def log_as_json() -> None:
    """Write all that the server and its libraries log to standard error, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.WARNING)
