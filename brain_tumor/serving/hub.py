"""Bundles on the Hugging Face hub: ``hf:USER/NAME``, or ``hf:USER/NAME@REVISION``."""

from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # its __init__ lists it without __all__

from brain_tumor.errors import BundleError
from brain_tumor.serving.bundle import CARD, CONFIG, OOD_DETECTOR, SIGNATURE, TRAINING_DIGESTS, WEIGHTS, Bundle

PREFIX = "hf:"
_FILES = [CONFIG, CARD, WEIGHTS, TRAINING_DIGESTS, OOD_DETECTOR, SIGNATURE, "*.onnx"]
"""What a bundle holds; nothing else is sent or taken, above all nothing that runs code when it is loaded."""


def download(name: str) -> Path:
    """Download a bundle, or find what was downloaded before; returns its folder.

    Args:
        name: ``hf:USER/NAME`` or ``hf:USER/NAME@REVISION``.

    Raises:
        BundleError: The name is malformed, there is no such bundle, or the hub cannot be reached.
    """
    repo, _, revision = name.removeprefix(PREFIX).partition("@")
    _require_name(repo, name)
    try:
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=_FILES))
    except LocalEntryNotFoundError as error:
        raise BundleError(
            f"{name} is not on this machine, and {_why_not()}; check the network and the name."
        ) from error
    except HfHubHTTPError as error:
        raise BundleError(f"{name} cannot be downloaded: {_reason(error)}.") from error


def push(bundle: Bundle, repo: str, *, private: bool) -> str:
    """Send a bundle to the hub; returns its address.

    Args:
        bundle: Bundle.
        repo: ``USER/NAME``; it is created if need be.
        private: Whether a new repository is private.

    Raises:
        BundleError: The name is malformed, the hub refuses, or it cannot be reached.
    """
    _require_name(repo, f"repo={repo}")
    try:
        api = HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        message = f"Upload model version {bundle.version}"
        api.upload_folder(repo_id=repo, folder_path=bundle.folder, allow_patterns=_FILES, commit_message=message)
    except HfHubHTTPError as error:
        raise BundleError(
            f"{repo} was not sent: {_reason(error)}; log in with a token that may write: hf auth login."
        ) from error
    except Exception as error:  # of the HTTP library that is installed
        raise BundleError(f"{repo} was not sent: {_why_not()} ({_reason(error)}); check the network.") from error
    return f"{constants.ENDPOINT}/{repo}"


def _require_name(repo: str, given: str) -> None:
    try:
        validate_repo_id(repo)
        valid = repo.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise BundleError(f"{given} is no name on the Hugging Face hub; expected USER/NAME.")


def _why_not() -> str:
    return (
        "HF_HUB_OFFLINE forbids the network" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} cannot be reached"
    )


def _reason(error: Exception) -> str:
    """Return the first line of a message of the hub."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
