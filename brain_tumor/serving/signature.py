"""Who made a bundle: a detached signature of its files, by OpenSSF model-signing with a key of an elliptic curve.

A pair of keys: ``openssl ecparam -name prime256v1 -genkey -noout -out private.pem`` and
``openssl ec -in private.pem -pubout -out public.pem``.
"""

import importlib.util
from pathlib import Path

from brain_tumor.errors import BundleError
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import SIGNATURE


def sign(folder: Path, key: str | Path) -> Path:
    """Sign all files of a bundle, in place of an earlier signature; returns the file of the signature.

    Args:
        folder: Folder of the bundle.
        key: File of the private key, PEM.

    Raises:
        BundleError: The package is missing, or the key cannot be used.
    """
    _require_package()
    from model_signing import hashing, signing

    try:
        config = signing.Config().use_elliptic_key_signer(private_key=_key_file(key))
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(key, "private") from error
    (folder / SIGNATURE).unlink(missing_ok=True)
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[SIGNATURE]))
    with published_file(folder / SIGNATURE) as draft:
        config.sign(folder, Path(draft))
    return folder / SIGNATURE


def verify(folder: Path, key: str | Path) -> None:
    """Check that a bundle is complete, unchanged and signed by the owner of a key.

    Args:
        folder: Folder of the bundle.
        key: File of the public key, PEM.

    Raises:
        BundleError: It is not, or the package is missing, or the key cannot be used.
    """
    _require_package()
    from model_signing import verifying

    if not (folder / SIGNATURE).is_file():
        raise BundleError(f"{folder} is not signed; sign it: brain-tumor export bundle={folder} engine=none sign=KEY.")
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=_key_file(key))
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(key, "public") from error
    try:
        config.verify(folder, folder / SIGNATURE)
    except Exception as error:  # of any kind: whatever fails, it is not verified
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise BundleError(
            f"{folder} is not what the owner of {key} signed ({reason}); get the bundle or the key again."
        ) from error


def _key_file(key: str | Path) -> Path:
    path = Path(key).expanduser()
    if not path.is_file():
        raise BundleError(f"There is no key at {path}; give a PEM file with a key of an elliptic curve.")
    return path


def _unusable(key: str | Path, kind: str) -> BundleError:
    return BundleError(
        f"{key} holds no {kind} key that can be used; expected PEM, curve P-256, P-384 or P-521, without a password."
    )


def _require_package() -> None:
    if importlib.util.find_spec("model_signing") is None:
        raise BundleError("Signatures need model-signing; install it: pip install 'brain-tumor[sign]'.")
