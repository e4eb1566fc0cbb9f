"""What a request that fails gets: a status, and one sentence."""

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from brain_tumor.errors import BrainTumorError, DataError
from brain_tumor.serving.service.limits import TooLargeError
from brain_tumor.serving.service.micro_batching import WorkerDiedError
from brain_tumor.serving.service.models import UnknownModelError
from brain_tumor.serving.service.served import BusyError, ClientLeftError, TimedOutError
from brain_tumor.serving.service.upload import TooSlowError, UnreadableRequestError


class NotAllowedError(BrainTumorError):
    """A request lacks the key that the server asks for."""


class NoPredictionError(DataError):
    """None of the files of a request can be predicted.

    Args:
        left_out: Name of a file → why.
    """

    def __init__(self, left_out: dict[str, str]) -> None:
        name, reason = next(iter(left_out.items()), ("the request", "it holds no image"))
        first = reason if reason.startswith(name) else f"{name}: {reason}"
        super().__init__(f"None of the files can be predicted, first: {first.rstrip('.')}.")
        self.left_out = left_out


class NoMapError(BrainTumorError):
    """A heat map is asked of a model that draws none."""


STATUS: dict[type[Exception], int] = {
    UnreadableRequestError: HTTPStatus.BAD_REQUEST,
    ClientLeftError: HTTPStatus.BAD_REQUEST,  # nobody reads it
    NotAllowedError: HTTPStatus.UNAUTHORIZED,
    UnknownModelError: HTTPStatus.NOT_FOUND,
    TooSlowError: HTTPStatus.REQUEST_TIMEOUT,
    NoMapError: HTTPStatus.CONFLICT,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DataError: HTTPStatus.UNPROCESSABLE_ENTITY,
    BusyError: HTTPStatus.TOO_MANY_REQUESTS,
    TimedOutError: HTTPStatus.SERVICE_UNAVAILABLE,
    WorkerDiedError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Kind of error → status of the answer; the nearest class counts."""
_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "1"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}
ERROR_SCHEMA: dict[str, Any] = {
    "title": "Error",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "What was found, what was expected, what to do next."},
        "left_out": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["error", "left_out"],
    "additionalProperties": False,
}
"""JSON schema of the answer to a request that fails."""


def error_response(status: int, sentence: str, left_out: dict[str, str] | None = None) -> JSONResponse:
    """Answer a request that fails."""
    body = {"error": sentence, "left_out": left_out or {}}
    return JSONResponse(body, status, _HEADERS.get(HTTPStatus(status)))


def response_to(error: Exception) -> JSONResponse | None:
    """Answer a request that fails with an error; None for one that the request did not cause."""
    for kind in type(error).mro():
        if kind in STATUS:
            sentence = "The server cannot predict any more and restarts." if kind is WorkerDiedError else str(error)
            return error_response(STATUS[kind], sentence, getattr(error, "left_out", None))
    return None
