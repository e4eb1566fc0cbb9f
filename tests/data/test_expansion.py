from pathlib import Path

import numpy as np
import pytest
from data.readers.clinical import ORIENTATIONS, ball, rank_of, write_dicom, write_nifti, write_series

from brain_tumor.data.catalog import folder, manifest
from brain_tumor.data.readers.reading import read_grey, source_file
from brain_tumor.data.samples import COLUMNS
from brain_tumor.errors import ConfigError, DataError


def test_settings_are_checked(tmp_path):
    with pytest.raises(ConfigError, match=r"Invalid data.plane=oblique: expected one of axial"):
        folder(tmp_path, plane="oblique")
    with pytest.raises(ConfigError, match=r"Invalid data.slices=many"):
        manifest(tmp_path / "absent.csv", slices="many")


def test_folder_mixes_pictures_and_volumes(tmp_path, flat_folder):
    for number in range(2):
        write_nifti(tmp_path / "glioma" / f"p{number}" / "t1.nii.gz", ball())
    write_series(tmp_path / "no_tumor" / "study")
    (tmp_path / "no_tumor" / "a.png").write_bytes((flat_folder / "no_tumor" / "00.png").read_bytes())

    samples = folder(tmp_path, "every:4")

    assert list(samples.columns) == list(COLUMNS)
    assert samples["sample_id"].is_unique
    glioma = samples[samples["label"] == "glioma"]
    assert set(glioma["sample_id"]) == {f"glioma/p{p}/t1.nii.gz#axial:{index}" for p in (0, 1) for index in (8, 12)}
    assert glioma["patient_id"].unique().tolist() == ["p0", "p1"]
    assert samples.set_index("sample_id").loc["no_tumor/a.png", "patient_id"] == ""
    assert all(read_grey(path).ndim == 2 for path in samples["path"])


def test_folder_where_the_policy_takes_nothing(tmp_path):
    write_nifti(tmp_path / "glioma" / "a.nii", ball())
    write_nifti(tmp_path / "no_tumor" / "a.nii", ball())

    with pytest.raises(DataError, match=r"data.slices=index:99 takes no slice of the scans of .*glioma"):
        folder(tmp_path, "index:99")


def test_manifest_names_volumes_slices_and_series(tmp_path, flat_folder):
    write_nifti(tmp_path / "v" / "sub-1_T1w.nii.gz", ball())
    write_nifti(tmp_path / "v" / "mask.nii.gz", ball())
    write_series(tmp_path / "series")
    write_dicom(tmp_path / "one.dcm", np.eye(8, dtype=np.int16), PatientID="x")
    (tmp_path / "a.png").write_bytes((flat_folder / "glioma" / "00.png").read_bytes())
    (tmp_path / "samples.csv").write_text(
        "path,label,patient_id,split,mask_path\n"
        "v/sub-1_T1w.nii.gz,glioma,7,train,v/mask.nii.gz\n"
        "v/sub-1_T1w.nii.gz#coronal:3,glioma,7,,\n"
        "v/mask.nii.gz,glioma,,,\n"
        "series,glioma,,test,\n"
        "one.dcm,glioma,8,,\n"
        "a.png,glioma,,,\n"
    )

    samples = manifest(tmp_path / "samples.csv", "index:3,4").set_index("sample_id")

    assert samples["path"].map(lambda path: Path(source_file(path)).is_file()).all()
    assert samples.loc["v/sub-1_T1w.nii.gz#axial:3", ["patient_id", "split", "plane"]].tolist() == [
        "7",
        "train",
        "axial",
    ]
    assert samples.loc["v/sub-1_T1w.nii.gz#axial:4", "mask_path"] == f"{tmp_path / 'v' / 'mask.nii.gz'}#axial:4"
    assert samples.loc["v/sub-1_T1w.nii.gz#coronal:3", "path"].endswith("T1w.nii.gz#coronal:3")
    series = samples[samples.index.str.startswith("series/")]
    assert sorted(rank_of(path) for path in series["path"]) == [3, 4]
    assert set(series["split"]) == {"test"}
    assert series["patient_id"].nunique() == 1
    assert "a.png" in samples.index


def test_manifest_leaves_single_dicom_files_as_they_are(tmp_path):
    write_dicom(tmp_path / "one.dcm", np.eye(8, dtype=np.int16), ImageOrientationPatient=ORIENTATIONS["coronal"])
    (tmp_path / "samples.csv").write_text("path,label,patient_id,plane\none.dcm,glioma,8,\n")

    samples = manifest(tmp_path / "samples.csv")

    assert samples[["sample_id", "patient_id", "plane"]].to_numpy().tolist() == [["one.dcm", "8", "coronal"]]


def test_manifest_keeps_slices_of_a_file_together(tmp_path):
    for place in ("p1", "p2"):
        write_nifti(tmp_path / place / "t1.nii", ball())
    (tmp_path / "samples.csv").write_text("path,label\np1/t1.nii,glioma\np2/t1.nii,glioma\n")

    samples = manifest(tmp_path / "samples.csv", "largest:2")

    assert samples["patient_id"].tolist() == ["p1/t1", "p1/t1", "p2/t1", "p2/t1"]
