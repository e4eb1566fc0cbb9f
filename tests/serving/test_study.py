"""Files, folders and volumes, on disk or in memory, become the same answers."""

import json
from pathlib import PurePosixPath

import jsonschema
import numpy as np
import pytest
from data.readers.clinical import ball, write_nifti, write_series
from factories import CENTRES, draw, save

from brain_tumor import Predictor
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import named
from brain_tumor.serving.answer import ANSWER_SCHEMA, VOLUME_SCHEMA
from brain_tumor.serving.study import study


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Images, a NIfTI volume, a DICOM series, a mask, and a file that is none."""
    folder = tmp_path_factory.mktemp("scans")
    for label in CENTRES:
        save(folder / f"{label}.png", label, 7)
    write_nifti(folder / "p1" / "t1.nii.gz", ball())
    write_nifti(folder / "p1" / "t1_mask.nii.gz", ball())
    write_series(folder / "series")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def on_disk(trained, scans):
    return study(Predictor.load(trained), scans)


def in_memory(folder):
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [MemoryFile(PurePosixPath(file.relative_to(folder).as_posix()), file.read_bytes()) for file in files]


def test_every_file_has_an_answer_or_a_reason(on_disk, scans):
    named_files = {answer.name.partition("#")[0] for answer in on_disk.images}
    left_out = {name.removeprefix(f"{scans}/") for name in on_disk.left_out}
    files = {str(file.relative_to(scans)) for file in scans.rglob("*") if file.is_file()}

    assert files == named_files | left_out
    assert len(on_disk.volumes) == 2
    assert "holds no image" in next(why for name, why in on_disk.left_out.items() if name.endswith("broken.png"))


def test_volumes_join_their_slices(on_disk):
    volume = next(volume for volume in on_disk.volumes if volume.series.endswith("t1.nii.gz"))

    slices = [answer for answer in on_disk.images if answer.name.startswith("p1/t1.nii.gz#")]
    assert volume.slices == len(slices)
    assert volume.key_slice == max(slices, key=lambda answer: answer.detection).name
    assert sum(volume.probabilities.values()) == pytest.approx(1)
    assert volume.decision in ("tumour", "no tumour")


def test_files_in_memory_have_the_same_answers(on_disk, trained, scans):
    found = study(Predictor.load(trained), in_memory(scans))

    assert {answer.name for answer in found.images} == {answer.name for answer in on_disk.images}
    expected = {answer.name: answer for answer in on_disk.images}
    for answer in found.images:
        np.testing.assert_allclose(
            [*answer.probabilities.values()], [*expected[answer.name].probabilities.values()], atol=1e-5
        )
    assert {volume.key_slice for volume in found.volumes} == {volume.key_slice for volume in on_disk.volumes}
    assert set(found.left_out) == {name.removeprefix(f"{scans}/") for name in on_disk.left_out}


def test_json_holds_what_its_schemas_say(on_disk):
    document = json.loads(json.dumps(on_disk.to_dict(), allow_nan=False))

    for answer in document["images"]:
        jsonschema.validate(answer, ANSWER_SCHEMA)
    for volume in document["volumes"]:
        jsonschema.validate(volume, VOLUME_SCHEMA)


def test_a_volume_whose_slices_are_all_rejected_has_no_prediction(gated, tmp_path):
    rng = np.random.default_rng(0)
    write_nifti(tmp_path / "noise.nii.gz", rng.integers(0, 2000, (32, 32, 6)).astype(np.int16))
    found = study(Predictor.load(gated), tmp_path)

    if all(answer.rejected for answer in found.images):
        (volume,) = found.volumes
        assert (volume.prediction, volume.probabilities, volume.detection, volume.decision) == ("", {}, None, None)
        assert volume.reasons[-1] == "out of distribution"
        jsonschema.validate(json.loads(json.dumps(volume.to_dict())), VOLUME_SCHEMA)
    else:
        pytest.fail("noise was accepted")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "image.png"), ("scan", "scan.png"), ("a/b.PNG", "a/b.PNG"), ("../../etc/passwd", "etc/passwd.png"),
        ("/abs/x.jpg", "abs/x.jpg"), ("C:\\scans\\x.tif", "C:/scans/x.tif"), ("..", "image.png"),
    ],
)  # fmt: skip
def test_names_in_memory_stay_within_their_folder(name, expected):
    assert str(named(b"?", name)) == expected


def test_kinds_are_told_by_their_bytes(tmp_path):
    write_series(tmp_path)
    dicom = next(tmp_path.iterdir())

    assert named(dicom.read_bytes(), "IM1").suffix == ".dcm"
    for name in ("a.nii", "a.nii.gz"):
        assert str(named(write_nifti(tmp_path / name, ball()).read_bytes(), "volume")) == f"volume{name[1:]}"
    assert draw("glioma", 0).ndim == 2
