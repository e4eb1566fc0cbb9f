"""Signatures: what was signed is verified by the owner's key alone, and by no change of the bundle."""

import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from factories import change_bundle, draw

from brain_tumor import Predictor
from brain_tumor.errors import BundleError, ConfigError
from brain_tumor.export import export
from brain_tumor.serving.bundle import read_bundle, write_config


def write_keys(folder, name="owner"):
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def signed(run_copy, tmp_path):
    """A signed bundle outside of its run, and the public key."""
    private, public = write_keys(tmp_path)
    export([f"bundle={run_copy}", "engine=none", f"sign={private}"], tmp_path / "log")
    return shutil.copytree(run_copy / "bundle", tmp_path / "copy" / "bundle"), public


def test_a_signed_bundle_is_loaded(signed):
    bundle, public = signed

    assert Predictor.load(bundle, verify=public)(draw("glioma", 1)).prediction


@pytest.mark.parametrize("change", ["weights", "card", "config", "more", "less"])
def test_no_change_is_overlooked(signed, change):
    bundle, public = signed
    if change == "more":
        (bundle / "extra.bin").write_bytes(b"x")
    elif change == "less":
        (bundle / "README.md").unlink()
    elif change == "config":
        change_bundle(bundle.parent, lambda config: config.update(temperature=2.0))
    else:
        name = {"weights": "model.safetensors", "card": "README.md"}[change]
        (bundle / name).write_bytes((bundle / name).read_bytes() + b" ")

    with pytest.raises(BundleError, match=r"is not what the owner of .* signed .*get the bundle or the key again"):
        Predictor.load(bundle, verify=public)


def test_another_key_does_not_verify(signed, tmp_path):
    _, other = write_keys(tmp_path, "other")

    with pytest.raises(BundleError, match="is not what the owner of"):
        Predictor.load(signed[0], verify=other)


def test_an_unsigned_bundle_is_refused_where_a_signature_is_asked_for(trained, tmp_path):
    _, public = write_keys(tmp_path)

    with pytest.raises(BundleError, match="is not signed; sign it: brain-tumor export"):
        Predictor.load(trained, verify=public)


def test_keys_that_cannot_be_used(signed, run_copy, tmp_path):
    bundle, public = signed
    (tmp_path / "text.pem").write_text("no key")

    for key, sentence in ((tmp_path / "text.pem", "holds no public key"), (tmp_path / "nowhere", "There is no key at")):
        with pytest.raises(BundleError, match=sentence):
            Predictor.load(bundle, verify=key)
    with pytest.raises(BundleError, match="holds no private key"):
        export([f"bundle={run_copy}", "engine=none", f"sign={public}"], tmp_path / "log")


def test_a_change_by_export_ends_the_signature(signed, caplog):
    bundle = read_bundle(signed[0])
    write_config(bundle)

    assert not (signed[0] / "model.sig").exists()
    assert "was signed and has changed: sign it again" in caplog.text


def test_no_engine_needs_a_key(run_copy, tmp_path):
    with pytest.raises(ConfigError, match="engine=none"):
        export([f"bundle={run_copy}", "engine=none"], tmp_path / "log")
