"""Download sets from Kaggle by its own client, which shows progress, resumes, and verifies checksums."""

import importlib
import os
from pathlib import Path
from typing import Any

from brain_tumor.data.public.fetch import manual_download
from brain_tumor.data.public.fetch.download import DISK_ERRORS
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_CONNECTION_ERRORS = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")
"""Ends of the class names of exceptions without a connection."""


def download_set(dataset: PublicSet, handle: str, work: Path, folder: Path) -> Path:
    """Download a data set of Kaggle to ``work`` and publish it as ``folder``.

    Args:
        dataset: Public set to download.
        handle: Kaggle's handle of the set, ``OWNER/NAME[/versions/N]``.
        work: Folder of the download; it keeps an incomplete download.
        folder: Target folder.

    Returns:
        ``folder``, or the read-only folder where a Kaggle notebook already has the set.

    Raises:
        DataError: The client is not installed, or Kaggle refuses or cannot be reached.
        OSError: The disk is full or cannot be written.
    """
    kagglehub = _client(dataset)
    before = os.environ.get("KAGGLEHUB_CACHE")
    os.environ["KAGGLEHUB_CACHE"] = str(work)  # on the disk of the target, so that publishing is a rename
    try:
        result = Path(kagglehub.dataset_download(handle))
    except Exception as error:  # exceptions of the client, of requests, and of the system
        raise _explain(error, dataset) from error
    finally:
        if before is None:
            del os.environ["KAGGLEHUB_CACHE"]
        else:
            os.environ["KAGGLEHUB_CACHE"] = before
    if not result.resolve().is_relative_to(work.resolve()):
        return result
    result.replace(folder)
    return folder


def _client(dataset: PublicSet) -> Any:
    try:
        return importlib.import_module("kagglehub")
    except ImportError as error:
        raise DataError(
            f"{dataset.name} is on Kaggle, whose client is not installed: pip install 'brain-tumor[fetch]', or "
            f"{manual_download(dataset)}."
        ) from error


def _explain(error: Exception, dataset: PublicSet) -> Exception:
    """Convert an exception of the client to a message that says what to do; errors of the disk stay as they are."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return error
    status = getattr(getattr(error, "response", None), "status_code", None)
    alternative = f"or {manual_download(dataset)}."
    if status in (401, 403) or type(error).__name__ in ("UnauthenticatedError", "CredentialError"):
        return DataError(
            f"Kaggle requires a login to download {dataset.name}: create an API token at "
            f"https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN to it, {alternative}"
        )
    if status == 404:
        return DataError(
            f"Kaggle has no {dataset.source.partition(':')[2]} any more: see {dataset.page}, {alternative}"
        )
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(".") or type(error).__name__
    if type(error).__name__.endswith(_CONNECTION_ERRORS):  # their texts are long
        reason = "no connection"
    return DataError(
        f"{dataset.name} cannot be downloaded from Kaggle ({reason[:200]}): check the network and repeat the command "
        f"to resume the download, {alternative}"
    )
