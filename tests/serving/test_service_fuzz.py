"""Whatever is sent, the server answers with a status below 500 and one sentence, and goes on."""

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
import schemathesis
import tifffile
from data.readers.clinical import ball, write_dicom, write_nifti
from factories import save
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving.test_limits import huge_png
from starlette.testclient import TestClient

from brain_tumor.serving.service.app import build_app
from brain_tumor.serving.service.limits import Limits
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.served import Served

LIMITS = Limits(files=8, megabytes=5, file_megapixels=4, megapixels=8, frames=200)


@pytest.fixture(scope="module")
def app(trained):
    return build_app(Models({"a": str(trained)}, lambda place: Served.load(place, limits=LIMITS)))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return {
        "a.png": save(folder / "a.png", "glioma", 1).read_bytes(),
        "a.jpg": save(folder / "a.jpg", "glioma", 2).read_bytes(),
        "a.dcm": write_dicom(folder / "a.dcm", np.arange(1024, dtype=np.int16).reshape(32, 32)).read_bytes(),
        "a.nii.gz": write_nifti(folder / "a.nii.gz", ball()).read_bytes(),
    }


def is_answered(client, name, content, path="/v1/predict"):
    """Whether a file gets an answer below 500; a fault is told in one sentence."""
    found = client.post(path, files=[("files", (name, content))])
    assert found.status_code < 500, (name, found.text)
    if found.status_code != 200:
        sentence = found.json()["error"]
        assert "\n" not in sentence
        assert sentence.endswith(".")
    return found.status_code


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, good):
    """Files that are damaged, of another kind than their name says, or larger than they look."""
    folder = tmp_path_factory.mktemp("hostile")
    frames = write_dicom(folder / "f.dcm", np.zeros((1, 4, 4), np.int16), NumberOfFrames=10_000).read_bytes()
    volume = np.full((8, 8, 8), np.nan, np.float32)
    tifffile.imwrite(folder / "b.tif", np.zeros((3000, 3000), np.uint8), compression="zlib")
    header = nib.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000))
    lying = bytearray(good["a.nii.gz"])
    lying[-4:] = struct.pack("<I", 2**32 - 1)  # the unpacked size that gzip states
    files = {
        "nothing.png": b"",
        "text.png": b"<html>this is no image</html>",
        "huge.png": huge_png(),
        "bomb.tif": (folder / "b.tif").read_bytes(),
        "frames.dcm": frames,
        "nan.nii": write_nifti(folder / "n.nii", volume).read_bytes(),
        "bomb.nii.gz": gzip.compress(header.binaryblock + bytes(4_000_000)),
        "lying.nii.gz": bytes(lying),
        "zip.nii": b"PK\x03\x04" + bytes(400),
        "dicom.png": good["a.dcm"],
        "png.dcm": good["a.png"],
        "png.nii.gz": good["a.png"],
        "../../etc/passwd": good["a.png"],
        "C:\\scan\\a.png": good["a.png"],
        "a#b.nii.gz#axial:3": good["a.nii.gz"],
        "\u202ex\x00y\n.png": good["a.png"],
        "x" * 5000 + ".png": good["a.png"],
        "": good["a.png"],
        ".dcm": b"\x00" * 128 + b"DICM",
        "DICOMDIR": b"\x00" * 128 + b"DICM" + bytes(64),
    }
    for name, content in good.items():
        for share in (0.02, 0.3, 0.9):
            files[f"cut{share}-{name}"] = content[: int(share * len(content))]
    return files


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict?images=true", "/v1/explain"])
def test_hostile_files_are_answered_in_one_sentence(client, hostile, path):
    for name, content in hostile.items():
        is_answered(client, name, content, path)
    assert client.get("/readyz").status_code == 200


def test_good_files_stay_good(client, good):
    assert {is_answered(client, name, content) for name, content in good.items()} == {200}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_changed_files_never_break_the_server(client, good, data):
    name, content = data.draw(st.sampled_from(sorted(good.items())))
    changed = bytearray(content)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=9)
    ):
        changed[place] = value
    is_answered(client, name, bytes(changed))


@settings(deadline=None, max_examples=60)
@given(
    body=st.binary(max_size=400), kind=st.sampled_from(["multipart/form-data; boundary=x", "image/png", "", "a/b; c"])
)
def test_any_body_is_answered(client, body, kind):
    found = client.post("/v1/predict", content=body, headers={"content-type": kind})

    assert found.status_code < 500
    assert "error" in found.json() or found.status_code == 200


@pytest.mark.parametrize("key", [None, "a key that nobody guesses"])
def test_requests_made_from_its_own_description(trained, key):
    """Schemathesis: statuses, content types and bodies are those that /openapi.json promises.

    Left out is the check that whatever is well formed is accepted: no description says which bytes are an image.
    """
    app = build_app(Models({"a": str(trained)}, lambda place: Served.load(place, limits=LIMITS)), key)
    headers = {"Authorization": f"Bearer {key}"} if key else None
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for operation in schema.get_all_operations():

        @settings(deadline=None, max_examples=15, database=None)
        @given(case=operation.ok().as_strategy())
        def holds(case):
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        holds()
