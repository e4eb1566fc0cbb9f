import logging
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from data.readers.clinical import (
    NAME,
    NUMBER,
    ORIENTATIONS,
    ball,
    dataset,
    rank_of,
    write_dicom,
    write_nifti,
    write_series,
)

from brain_tumor.data.folder_and_manifest import folder
from brain_tumor.data.readers import nifti, volumes
from brain_tumor.data.readers.mask_files import is_mask
from brain_tumor.data.readers.patient_names import patient_from_path
from brain_tumor.data.readers.reading import read_image, source_file
from brain_tumor.data.readers.volumes import ScanRules, find_scans, series_scans
from brain_tumor.data.samples import write_table
from brain_tumor.errors import DataError


def slicing(text: str = "largest:1", plane: str | None = None, cache_dir: Path | None = None) -> ScanRules:
    return ScanRules.parse(text, plane, cache_dir)


def rows_of(folder: Path, text: str = "largest:1", plane: str | None = None) -> list[dict[str, str]]:
    return find_scans(sorted(path for path in folder.rglob("*") if path.is_file()), folder, slicing(text, plane)).rows


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_nifti_volumes_are_sliced(tmp_path, plane):
    file = write_nifti(tmp_path / "p1" / "scan.nii.gz", ball(), "LPS")

    rows = rows_of(tmp_path, "largest:2", plane)

    assert [row["path"] for row in rows] == [f"{file}#{plane}:{index}" for index in (10, 11)]
    assert all((row["patient_id"], row["plane"]) == ("p1", plane) for row in rows)
    assert all(read_image(row["path"]).max() == 255 for row in rows)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("p7/deeper/t1.nii.gz", "p7"),
        ("sub-01_ses-2_T1w.nii", "sub-01"),
        ("BraTS20_Training_001_flair.nii.gz", "BraTS20_Training_001"),
        ("BraTS-GLI-00003-000-t1c.NII.GZ", "BraTS-GLI-00003"),
        ("brain_012_0003.nii.gz", "brain_012"),
        ("scan.nii", "scan"),
        ("t1.nii", "t1"),
    ],
)
def test_patients_from_nifti_paths(name, patient):
    assert patient_from_path(Path("glioma", name), Path("glioma")) == patient


def test_masks_are_left_out(tmp_path):
    for name in ("a-t1.nii", "a-seg.nii", "a_Mask.nii.gz", "seg.nii"):
        write_nifti(tmp_path / "p" / name, ball())

    assert [Path(source_file(row["path"])).name for row in rows_of(tmp_path)] == ["a-t1.nii"]
    assert not is_mask(Path("segment_T1.nii"))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_series_are_sorted_by_position(tmp_path, plane):
    write_series(tmp_path, plane)

    rows = rows_of(tmp_path, "all")

    assert [rank_of(row["path"]) for row in rows] == list(range(8))
    assert {row["plane"] for row in rows} == {plane}
    assert [rank_of(row["path"]) for row in rows_of(tmp_path)] == [3]
    assert [rank_of(row["path"]) for row in rows_of(tmp_path, "every:3")] == [0, 3, 6]
    assert [rank_of(row["path"]) for row in rows_of(tmp_path, "index:7,1")] == [1, 7]


def test_series_without_positions_are_sorted_by_number(tmp_path):
    for number in (3, 1, 2):
        write_dicom(tmp_path / f"{9 - number}.dcm", np.full((4, 4), 100 + number, np.int16), InstanceNumber=number)

    rows = rows_of(tmp_path, "all")

    assert [rank_of(row["path"]) for row in rows] == [1, 2, 3]
    assert {row["plane"] for row in rows} == {""}


def test_series_and_planes_are_separated(tmp_path):
    write_series(tmp_path / "one", "axial", "1.1")
    write_series(tmp_path / "two", "axial", "1.2")
    write_series(tmp_path / "scout_a", "coronal", "1.3")
    write_series(tmp_path / "scout_b", "sagittal", "1.3")

    rows = rows_of(tmp_path)

    assert sorted((Path(row["path"]).parent.name, row["plane"], rank_of(row["path"])) for row in rows) == [
        ("one", "axial", 3),
        ("scout_a", "coronal", 3),
        ("scout_b", "sagittal", 3),
        ("two", "axial", 3),
    ]


def test_oblique_slices_belong_to_the_nearest_plane(tmp_path):
    tilted = [1, 0, 0, 0, 0.8, 0.6]
    write_dicom(tmp_path / "a.dcm", np.eye(8, dtype=np.int16), ImageOrientationPatient=tilted)
    write_dicom(tmp_path / "b.dcm", np.eye(8, dtype=np.int16), ImageOrientationPatient=[0] * 6)

    assert sorted(row["plane"] for row in rows_of(tmp_path)) == ["", "axial"]


def test_frames_of_one_file_are_a_series(tmp_path):
    frames = np.zeros((4, 16, 16), np.int16)
    for number, size in enumerate((3, 15, 6, 9)):
        frames[number, :size, :size] = 500
    positions = [
        dataset(PlanePositionSequence=[dataset(ImagePositionPatient=[0, 0, -number])]) for number in range(4)
    ]  # from the top
    orientation = dataset(PlaneOrientationSequence=[dataset(ImageOrientationPatient=ORIENTATIONS["axial"])])
    file = write_dicom(
        tmp_path / "enhanced.dcm",
        frames,
        PerFrameFunctionalGroupsSequence=positions,
        SharedFunctionalGroupsSequence=[orientation],
    )

    assert [row["path"] for row in rows_of(tmp_path)] == [f"{file}#1"]
    assert [row["path"] for row in rows_of(tmp_path, "all")] == [f"{file}#{number}" for number in (3, 2, 1, 0)]
    assert {row["plane"] for row in rows_of(tmp_path, "all")} == {"axial"}


def test_the_patient_is_a_pseudonym(tmp_path):
    write_dicom(tmp_path / "a", np.eye(4, dtype=np.int16), SeriesInstanceUID="1")
    write_dicom(tmp_path / "b", np.eye(4, dtype=np.int16), SeriesInstanceUID="2", StudyInstanceUID="9")
    write_dicom(tmp_path / "c", np.eye(4, dtype=np.int16), SeriesInstanceUID="3", PatientID="", StudyInstanceUID="7")
    write_dicom(tmp_path / "d", np.eye(4, dtype=np.int16), SeriesInstanceUID="4", PatientID=" ", StudyInstanceUID="7")
    write_dicom(tmp_path / "e", np.eye(4, dtype=np.int16), SeriesInstanceUID="5", PatientID="", StudyInstanceUID="")

    patients = {Path(row["path"]).name: row["patient_id"] for row in rows_of(tmp_path)}

    assert patients["a"] == patients["b"] != patients["c"] == patients["d"] != patients["e"]
    assert all(len(patient) == 16 and NUMBER not in patient for patient in patients.values())


def test_no_name_leaves_the_files(tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    write_series(tmp_path / "root" / "glioma")
    write_series(tmp_path / "root" / "no_tumor", uid="1.6", patient="other")
    (tmp_path / "root" / "glioma" / "broken.dcm").write_bytes((tmp_path / "root" / "glioma" / "IM1").read_bytes()[:600])
    caplog.clear()

    samples = folder(tmp_path / "root", "largest:2", cache_dir=tmp_path / "cache").samples
    write_table(samples, tmp_path / "samples.csv")

    written = [path.read_text() for path in (tmp_path / "cache").rglob("*.json")]
    text = "\n".join([(tmp_path / "samples.csv").read_text(), caplog.text, *capsys.readouterr(), *written])
    for secret in (*NAME.split("^"), NUMBER, "Elsewhere", "1.2.3"):
        assert secret not in text
    assert set(samples["source"]) == {"ACME Magnet 2 3 T"}


def test_unreadable_files_become_rows(tmp_path):
    write_series(tmp_path)
    content = (tmp_path / "IM0").read_bytes()
    (tmp_path / "header.dcm").write_bytes(content[:140])
    (tmp_path / "pixels").write_bytes(content[:-300])
    (tmp_path / "volume.nii.gz").write_bytes(b"no volume")

    rows = {Path(row["path"]).name for row in rows_of(tmp_path)}

    assert rows >= {"header.dcm", "pixels", "volume.nii.gz"}
    assert len(rows) == 4
    for name in ("header.dcm", "pixels", "volume.nii.gz"):
        with pytest.raises(DataError, match=name):
            read_image(tmp_path / name)


def test_areas_are_measured_once(tmp_path, monkeypatch):
    file = write_nifti(tmp_path / "data" / "scan.nii", ball())
    write_series(tmp_path / "data")
    files = sorted((tmp_path / "data").iterdir())
    first = find_scans(files, tmp_path / "data", slicing(cache_dir=tmp_path / "cache"))
    monkeypatch.setattr(nifti, "_load", lambda *_: pytest.fail("areas were measured twice"))

    assert find_scans(files, tmp_path / "data", slicing(cache_dir=tmp_path / "cache")) == first
    monkeypatch.undo()
    write_nifti(file, ball(24, 9))
    changed = find_scans(files, tmp_path / "data", slicing(cache_dir=tmp_path / "cache"))
    assert changed.rows[0]["path"].endswith("#axial:9")


def test_an_index_beyond_a_volume_is_logged(tmp_path, caplog):
    write_nifti(tmp_path / "long.nii", ball(20))
    write_nifti(tmp_path / "short.nii", ball(20)[:, :, :5])

    rows = rows_of(tmp_path, "index:12")

    assert [row["path"] for row in rows] == [f"{tmp_path / 'long.nii'}#axial:12"]
    assert "data.slices selects none of 5 slices" in caplog.text


def test_single_slices_need_no_policy(tmp_path):
    file = write_nifti(tmp_path / "p" / "single.nii", ball()[:, 11:12])

    [row] = rows_of(tmp_path)
    assert row == {"patient_id": "p", "series": "p/single.nii", "path": str(file), "plane": "coronal"}


def test_folders_without_exactly_one_series(tmp_path, flat_folder):
    write_series(tmp_path / "two", uid="1.1")
    write_dicom(tmp_path / "two" / "other.dcm", np.eye(4, dtype=np.int16), SeriesInstanceUID="1.2")

    with pytest.raises(DataError, match="contains 2 DICOM series"):
        series_scans(tmp_path / "two", slicing())
    with pytest.raises(DataError, match="contains 0 DICOM series"):
        series_scans(flat_folder / "glioma", slicing())


def test_shipped_series_of_pydicom(tmp_path):
    shipped = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"

    rows = rows_of(shipped / "98892003", "largest:1")
    all_rows = rows_of(shipped / "98892003", "all")

    files = sorted(path for path in (shipped / "98892003").rglob("*") if path.is_file())
    left_out = find_scans(files, shipped, slicing("all")).left_out

    assert 3 <= len(rows) <= len(all_rows) == 10
    assert list(left_out.values()) == ["derived image"] * 7  # maximum intensity projections
    assert len({row["patient_id"] for row in all_rows}) == 1
    assert {row["plane"] for row in all_rows} <= {"axial", "coronal", "sagittal"}


def test_parsers_are_loaded_only_for_their_files():
    code = (
        "import sys, brain_tumor.data.readers.reading, brain_tumor.data.folder_and_manifest; "
        "sys.exit(bool({'pydicom', 'nibabel', 'gdcm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert volumes.VOLUME_FORMATS == ("dicom", "nifti")


def test_time_series_are_sliced_from_their_first_volume(tmp_path):
    nib.save(nib.Nifti1Image(np.stack([ball(), ball() * 0], -1), np.eye(4)), tmp_path / "bold.nii")

    assert [row["path"] for row in rows_of(tmp_path)] == [f"{tmp_path / 'bold.nii'}#axial:11"]
