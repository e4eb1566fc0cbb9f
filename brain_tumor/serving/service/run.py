"""Run the server as a process: signals, time limits of connections, and the end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from brain_tumor.errors import ConfigError
from brain_tumor.serving.service.models import Models

log = logging.getLogger(__name__)

_HEADER_BYTES = 32_768
"""Largest size of the headers of a request."""
_LOOK = 0.5
"""Seconds between looks whether the models are alive."""
_BACKLOG = 2048


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str = "127.0.0.1"
    """Name or address; 0.0.0.0 accepts requests from other machines."""
    port: int = 8000
    """0 takes a free one."""
    grace_seconds: float = 30.0
    """Time for accepted requests to be answered after SIGTERM or Ctrl-C."""
    connections: int = 1024
    """Largest number of open connections; more are answered with status 503."""
    header_seconds: float = 10.0
    """Time for the headers of a request to arrive, after which the connection is closed."""


class _Connection(H11Protocol):
    """A connection that is closed where the headers of a request do not arrive in time."""

    header_seconds = Address.header_seconds
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:  # a part of the headers
            self._expect_headers()
        else:
            self._stop()

    def _expect_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listen(address: Address) -> socket.socket:
    """Open the address for requests.

    Raises:
        ConfigError: It is taken, or not one of this machine.
    """
    place = f"{address.host}:{address.port}"
    try:
        family, kind, protocol, _, place_of = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # with its protocol named: asyncio sends small answers at once (TCP_NODELAY) on such sockets alone, 40 ms sooner
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(place, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place_of)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(place, error) from error
    return listener


def _cannot_listen(place: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"The server cannot listen at {place} ({error.strerror or error}); choose another with host= or port=."
    )


def run(app: ASGIApp, models: Models, listener: socket.socket, address: Address) -> int:
    """Serve until a signal asks to stop, and answer what was accepted.

    SIGTERM and SIGINT (Ctrl-C) end the server; SIGHUP loads the models again.

    Args:
        app: Application.
        models: Its models.
        listener: Opened address, see `listen`.
        address: Its settings.

    Returns:
        Exit code: 0; 1 if a model could not answer any more, or requests were cut off at the end of the grace time.
    """
    config = uvicorn.Config(
        app,
        http=type("Connection", (_Connection,), {"header_seconds": address.header_seconds}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        limit_concurrency=address.connections,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=max(1, round(address.grace_seconds)),
    )
    server = uvicorn.Server(config)
    with _ignored(signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again once it has ended
        return asyncio.run(_serve(server, models, listener))


async def _serve(server: uvicorn.Server, models: Models, listener: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if not reloads:
            task = loop.create_task(models.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    watch = loop.create_task(_stop_when_dead(server, models))
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
        loop.remove_signal_handler(signal.SIGHUP)
    cut_off = models.requests
    if cut_off:
        log.error("%d requests were cut off at the end of the grace time.", cut_off)
    else:
        log.info("Stopped; every accepted request was answered.")
    return int(models.died or cut_off > 0)


@contextmanager
def _ignored(*numbers: int) -> Iterator[None]:
    """Let signals that no one handles pass; afterwards the previous handlers are restored."""

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    before = {number: signal.signal(number, nothing) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _stop_when_dead(server: uvicorn.Server, models: Models) -> None:
    while not models.died:
        await asyncio.sleep(_LOOK)
    log.critical("A model cannot answer any more; the server ends, so that it can be started again.")
    server.should_exit = True
