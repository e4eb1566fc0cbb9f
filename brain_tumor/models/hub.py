"""The Hugging Face hub: one short try to reach it, in place of the many retries of its library."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session

from brain_tumor.errors import WeightsError

SECONDS = 10.0
"""Seconds in which the hub must answer."""


@contextmanager
def one_try(what: str, instead: str) -> Iterator[None]:
    """Inside the context the hub's library downloads; where the hub does not answer, it takes what it has downloaded.

    Args:
        what: What is loaded, for messages: ``model.name=resnet18``.
        instead: What to do without the hub, a clause.

    Raises:
        WeightsError: The hub does not answer, and what is loaded inside the context is not on this machine.
    """
    reason = None if constants.HF_HUB_OFFLINE else why_unreachable(constants.ENDPOINT)
    before, timeout = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    constants.HF_HUB_OFFLINE = before or reason is not None
    socket.setdefaulttimeout(SECONDS)  # for weights with a plain address, which torch downloads
    try:
        yield
    except Exception as error:  # of any kind: timm wraps some of the hub's
        if not constants.HF_HUB_OFFLINE or isinstance(error, WeightsError):
            raise
        told = f"{constants.ENDPOINT} cannot be reached ({reason})" if reason else "HF_HUB_OFFLINE forbids to download"
        raise WeightsError(
            f"The weights of {what} are not on this machine, and {told}; check the network, or {instead}."
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = before
        socket.setdefaulttimeout(timeout)


def why_unreachable(address: str, seconds: float = SECONDS) -> str | None:
    """Try once to reach a server, with the proxies that the hub's library uses; return why it failed, or None."""
    failures = [f"no answer in {seconds:.0f} s"]

    def request() -> None:
        try:
            get_session().head(address, timeout=seconds)
            failures.clear()
        except Exception as error:  # of the HTTP library that is installed
            failures[:] = [" ".join(str(error).split()).rstrip(".") or type(error).__name__]

    # in a thread, since no timeout applies to the look-up of a name
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(seconds)
    return next(iter(failures), None)
