import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from data.readers.clinical import ORIENTATIONS, ball, rank_of, write_dicom, write_nifti, write_series
from factories import CENTRES, save

from brain_tumor.data.folder_and_manifest import folder, manifest
from brain_tumor.data.readers.reading import read_image, source_file
from brain_tumor.data.samples import COLUMNS
from brain_tumor.errors import ConfigError, DataError


def test_flat_folder(flat_folder):
    samples = folder(flat_folder).samples

    assert list(samples.columns) == list(COLUMNS)
    assert samples["label"].value_counts().to_dict() == dict.fromkeys(CENTRES, 12)
    assert samples["sample_id"][0] == "glioma/00.png"
    assert set(samples["split"]) == {""}


@pytest.mark.parametrize("names", [("Training", "Testing"), ("TRAIN", "test"), ("train", "Test")])
def test_folder_with_a_published_split(tmp_path, names):
    for name in names:
        save(tmp_path / name / "glioma_tumor" / "a.png", "glioma", 0)
        save(tmp_path / name / "notumor" / "deeper" / "b.png", "no_tumor", 0)
    save(tmp_path / "valid" / "glioma" / "c.png", "glioma", 1)

    samples = folder(tmp_path).samples

    assert samples.groupby("split")["label"].apply(sorted).to_dict() == {
        "test": ["glioma", "no_tumor"],
        "train": ["glioma", "no_tumor"],
        "val": ["glioma"],
    }


def test_wrapper_folders_are_skipped(tmp_path):
    for label in ("glioma", "no_tumor"):
        save(tmp_path / "archive" / "Data Set" / label / "x.png", label, 0)
    (tmp_path / "readme.csv").write_text("not,an,image")

    assert set(folder(tmp_path).samples["label"]) == {"glioma", "no_tumor"}


def test_folder_errors(tmp_path, flat_folder):
    (tmp_path / "empty_class" / "glioma").mkdir(parents=True)
    save(tmp_path / "empty_class" / "no_tumor" / "a.png", "no_tumor", 0)
    (tmp_path / "nothing").mkdir()

    for root, sentence in {
        tmp_path / "absent": "missing",
        flat_folder / "glioma" / "00.png": "is a file",
        tmp_path / "nothing": "no class folders with images",
        tmp_path / "empty_class": "glioma holds no images",
    }.items():
        with pytest.raises(DataError, match=sentence):
            folder(root)


def test_manifest_reads_all_columns(tmp_path):
    save(tmp_path / "scans" / "a.png", "glioma", 0)
    save(tmp_path / "scans" / "b.png", "no_tumor", 0)
    table = pd.DataFrame(
        {
            "path": ["scans/a.png", "scans/b.png"],
            "label": ["Glioma_Tumor", "healthy"],
            "patient_id": ["7", "8"],
            "split": ["Training", "TEST"],
            "mask_path": ["scans/b.png", ""],
            "remark": ["dropped", "dropped"],
        }
    )
    table.to_csv(tmp_path / "samples.csv", index=False)

    samples = manifest(tmp_path / "samples.csv").samples

    assert samples[["sample_id", "label", "patient_id", "split"]].to_numpy().tolist() == [
        ["scans/a.png", "glioma", "7", "train"],
        ["scans/b.png", "no_tumor", "8", "test"],
    ]
    assert samples["mask_path"].tolist() == [str(tmp_path / "scans" / "b.png"), ""]
    assert samples["path"][0] == str(tmp_path / "scans" / "a.png")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not a readable CSV"),
        ("path\na.png\n", "has no column label"),
        ("path,label\n", "has no rows"),
        ("path,label\na.png,\n", "1 rows have no label"),
        ("path,label\nnowhere.png,glioma\n", "1 of 1 files do not exist, first nowhere.png"),
        ("path,label,split\na.png,glioma,holdout\n", "invalid split"),
        ("path,label,sample_id\na.png,glioma,1\na.png,glioma,1\n", "occur more than once"),
    ],
)
def test_manifest_errors(tmp_path, text, sentence):
    save(tmp_path / "a.png", "glioma", 0)
    (tmp_path / "samples.csv").write_text(text)

    with pytest.raises(DataError, match=sentence):
        manifest(tmp_path / "samples.csv")


def test_missing_manifest(tmp_path):
    with pytest.raises(DataError, match="was not found"):
        manifest(tmp_path / "absent.csv")


def test_hidden_folders_are_left_out_and_links_followed(tmp_path):
    for number, name in enumerate(("scans/a", "scans/a/.ipynb_checkpoints", "elsewhere", "scans/b")):
        save(tmp_path / name / f"{number}.png", "glioma", number)
    (tmp_path / "scans" / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "scans" / "a" / "loop").symlink_to(tmp_path / "scans" / "a")
    (tmp_path / "scans" / "a" / "broken.png").symlink_to(tmp_path / "nowhere")

    assert folder(tmp_path / "scans").samples["sample_id"].tolist() == ["a/0.png", "a/link/2.png", "b/3.png"]


def test_file_names_that_are_not_utf8(tmp_path):
    save(tmp_path / "a" / "1.png", "glioma", 1)
    Path(tmp_path / "a" / "1.png").rename(os.fsdecode(os.fsencode(tmp_path / "a") + b"/br\xe9.png"))

    with pytest.raises(DataError, match="is not UTF-8 text; rename the file"):
        folder(tmp_path)


def test_any_unicode_name_is_accepted(tmp_path):
    for number, name in enumerate(("Scan 3.04\u202fPM.png", "schädel\u00a0(1).png")):
        save(tmp_path / "a" / name, "glioma", number)
        save(tmp_path / "b" / name, "pituitary", number)
    (tmp_path / "a" / "notes.txt").write_text("no image")

    assert len(folder(tmp_path).samples) == 4


def test_settings_are_checked(tmp_path):
    with pytest.raises(ConfigError, match=r"Invalid data.plane=oblique: expected one of axial"):
        folder(tmp_path, plane="oblique")
    with pytest.raises(ConfigError, match=r"Invalid data.slices=many"):
        manifest(tmp_path / "absent.csv", slices="many")


def test_folder_with_images_and_volumes(tmp_path, flat_folder):
    for number in range(2):
        write_nifti(tmp_path / "glioma" / f"p{number}" / "t1.nii.gz", ball())
    write_series(tmp_path / "no_tumor" / "study")
    (tmp_path / "no_tumor" / "a.png").write_bytes((flat_folder / "no_tumor" / "00.png").read_bytes())

    samples = folder(tmp_path, "every:4").samples

    assert list(samples.columns) == list(COLUMNS)
    assert samples["sample_id"].is_unique
    glioma = samples[samples["label"] == "glioma"]
    assert set(glioma["sample_id"]) == {f"glioma/p{p}/t1.nii.gz#axial:{index}" for p in (0, 1) for index in (8, 12)}
    assert glioma["patient_id"].unique().tolist() == ["p0", "p1"]
    assert samples.set_index("sample_id").loc["no_tumor/a.png", "patient_id"] == ""
    assert all(read_image(path).ndim == 2 for path in samples["path"])


def test_folder_where_the_policy_selects_nothing(tmp_path):
    write_nifti(tmp_path / "glioma" / "a.nii", ball())
    write_nifti(tmp_path / "no_tumor" / "a.nii", ball())

    with pytest.raises(DataError, match=r"data.slices=index:99 selects no slice of the scans in .*glioma"):
        folder(tmp_path, "index:99")


def test_manifest_with_volumes_slices_and_series(tmp_path, flat_folder):
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

    samples = manifest(tmp_path / "samples.csv", "index:3,4").samples.set_index("sample_id")

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
    assert len(set(series["patient_id"])) == 1
    assert "a.png" in samples.index


def test_manifest_with_a_single_dicom_file(tmp_path):
    write_dicom(tmp_path / "one.dcm", np.eye(8, dtype=np.int16), ImageOrientationPatient=ORIENTATIONS["coronal"])
    (tmp_path / "samples.csv").write_text("path,label,patient_id,plane\none.dcm,glioma,8,\n")

    samples = manifest(tmp_path / "samples.csv").samples

    assert samples[["sample_id", "patient_id", "plane"]].to_numpy().tolist() == [["one.dcm", "8", "coronal"]]


def test_manifest_gives_slices_of_a_file_one_patient(tmp_path):
    for patient in ("p1", "p2"):
        write_nifti(tmp_path / patient / "t1.nii", ball())
    (tmp_path / "samples.csv").write_text("path,label\np1/t1.nii,glioma\np2/t1.nii,glioma\n")

    samples = manifest(tmp_path / "samples.csv", "largest:2").samples

    assert samples["patient_id"].tolist() == ["p1/t1", "p1/t1", "p2/t1", "p2/t1"]
