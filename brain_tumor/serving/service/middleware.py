"""What every request passes: an id, a line in the log, counts, headers for browsers, and an answer whatever happens."""

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from brain_tumor.serving.service.http_errors import error_response
from brain_tumor.serving.service.logs import FIELDS, described
from brain_tumor.serving.service.metrics import Metrics

log = logging.getLogger(__name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer: nothing is kept, embedded elsewhere, or loaded from elsewhere."""
_NO_ROUTE = "none"


class Middleware:
    """Wrap an application.

    Args:
        app: Application.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, start, status = uuid.uuid4().hex, time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        error_fields: dict[str, object] = {}
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # a bug: the client is told, the log says where, and the server goes on
            error_fields = described(error)
            if not status:
                response = error_response(500, f"The server made a mistake; report it with the id {request}.")
                await response(scope, receive, answer)
        seconds = time.perf_counter() - start
        route = getattr(scope.get("route"), "path", _NO_ROUTE)
        self._metrics.count_request(route, status, seconds)
        fields = {"request": request, "method": scope["method"], "route": route, "status": status}
        log.log(
            logging.ERROR if status >= 500 else logging.INFO,
            "request",
            extra={FIELDS: {**fields, "seconds": round(seconds, 4), **error_fields}},
        )
