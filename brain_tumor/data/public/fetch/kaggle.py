"""Sets that lie on Kaggle: its own client downloads them, with progress, resume and checksums."""

import importlib
import os
from pathlib import Path
from typing import Any

from brain_tumor.data.public.fetch import by_hand
from brain_tumor.data.public.fetch.download import DISK_FAULTS
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_NO_CONNECTION = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")
TOKEN = "make an API token at https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN to it"  # noqa: S105 # how to
"""What Kaggle's client wants of a user who is not known to it."""


def get(published: PublicSet, handle: str, work: Path, folder: Path) -> Path:
    """Download a data set of Kaggle to ``work`` and publish it as ``folder``.

    Raises:
        DataError: The client is not installed, or Kaggle refuses or cannot be reached.
        OSError: The disk is full or cannot be written.
    """
    kagglehub = _client(published)
    before = os.environ.get("KAGGLEHUB_CACHE")
    os.environ["KAGGLEHUB_CACHE"] = str(work)  # beside the folder: what has come stays, and moving costs nothing
    try:
        place = Path(kagglehub.dataset_download(handle))
    except Exception as error:  # it raises its own, those of requests, and plain ones
        raise _explained(error, published) from error
    finally:
        if before is None:
            del os.environ["KAGGLEHUB_CACHE"]
        else:
            os.environ["KAGGLEHUB_CACHE"] = before
    if not place.resolve().is_relative_to(work.resolve()):
        return place  # inside Kaggle's own notebooks it is there already, read-only
    place.replace(folder)
    return folder


def _client(published: PublicSet) -> Any:
    try:
        return importlib.import_module("kagglehub")
    except ImportError as error:
        raise DataError(
            f"{published.name} lies on Kaggle, whose client is not installed; pip install 'brain-tumor[fetch]', or "
            f"{by_hand(published)}."
        ) from error


def _explained(error: Exception, published: PublicSet) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    otherwise = f"or {by_hand(published)}."
    if status in (401, 403) or type(error).__name__ in ("UnauthenticatedError", "CredentialError"):
        return DataError(f"Kaggle wants to know who fetches {published.name}; {TOKEN}, {otherwise}")
    if status == 404:
        return DataError(
            f"Kaggle has no {published.source.partition(':')[2]} any more; see {published.page}, {otherwise}"
        )
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        return error
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(".") or type(error).__name__
    if type(error).__name__.endswith(_NO_CONNECTION):  # those of requests tell their whole inner life
        reason = "no connection"
    return DataError(
        f"{published.name} cannot be had from Kaggle ({reason[:200]}); see that the network is up and call the command "
        f"again to go on where it stopped, {otherwise}"
    )
