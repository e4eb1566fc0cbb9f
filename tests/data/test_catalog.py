import os
from pathlib import Path

import pandas as pd
import pytest
from conftest import CENTRES, save

from brain_tumor.data.catalog import folder, manifest
from brain_tumor.data.samples import COLUMNS
from brain_tumor.errors import DataError


def test_flat_folder(flat_folder):
    samples = folder(flat_folder)

    assert list(samples.columns) == list(COLUMNS)
    assert samples["label"].value_counts().to_dict() == dict.fromkeys(CENTRES, 12)
    assert samples["sample_id"][0] == "glioma/00.png"
    assert set(samples["split"]) == {""}


@pytest.mark.parametrize("names", [("Training", "Testing"), ("TRAIN", "test"), ("train", "Test")])
def test_folder_with_its_own_split(tmp_path, names):
    for part in names:
        save(tmp_path / part / "glioma_tumor" / "a.png", "glioma", 0)
        save(tmp_path / part / "notumor" / "deeper" / "b.png", "no_tumor", 0)
    save(tmp_path / "valid" / "glioma" / "c.png", "glioma", 1)

    samples = folder(tmp_path)

    assert samples.groupby("split")["label"].apply(sorted).to_dict() == {
        "test": ["glioma", "no_tumor"],
        "train": ["glioma", "no_tumor"],
        "val": ["glioma"],
    }


def test_wrapper_folders_are_passed_through(tmp_path):
    for label in ("glioma", "no_tumor"):
        save(tmp_path / "archive" / "Data Set" / label / "x.png", label, 0)
    (tmp_path / "readme.csv").write_text("not,an,image")

    assert set(folder(tmp_path)["label"]) == {"glioma", "no_tumor"}


def test_folder_faults(tmp_path, flat_folder):
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

    samples = manifest(tmp_path / "samples.csv")

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
        ("path,label\n", "names no images"),
        ("path,label\na.png,\n", "1 rows have no label"),
        ("path,label\nnowhere.png,glioma\n", "1 of 1 files do not exist, first nowhere.png"),
        ("path,label,split\na.png,glioma,holdout\n", "unknown split"),
        ("path,label,sample_id\na.png,glioma,1\na.png,glioma,1\n", "stand more than once"),
    ],
)
def test_manifest_faults(tmp_path, text, sentence):
    save(tmp_path / "a.png", "glioma", 0)
    (tmp_path / "samples.csv").write_text(text)

    with pytest.raises(DataError, match=sentence):
        manifest(tmp_path / "samples.csv")


def test_missing_manifest(tmp_path):
    with pytest.raises(DataError, match="was not found"):
        manifest(tmp_path / "absent.csv")


def test_hidden_folders_are_left_out_and_links_followed(tmp_path):
    for number, place in enumerate(("scans/a", "scans/a/.ipynb_checkpoints", "elsewhere", "scans/b")):
        save(tmp_path / place / f"{number}.png", "glioma", number)
    (tmp_path / "scans" / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "scans" / "a" / "loop").symlink_to(tmp_path / "scans" / "a")
    (tmp_path / "scans" / "a" / "broken.png").symlink_to(tmp_path / "nowhere")

    assert folder(tmp_path / "scans")["sample_id"].tolist() == ["a/0.png", "a/link/2.png", "b/3.png"]


def test_file_names_that_are_no_text(tmp_path):
    save(tmp_path / "a" / "1.png", "glioma", 1)
    Path(tmp_path / "a" / "1.png").rename(os.fsdecode(os.fsencode(tmp_path / "a") + b"/br\xe9.png"))

    with pytest.raises(DataError, match="is not UTF-8 text; rename the file"):
        folder(tmp_path)


def test_any_unicode_name_is_taken(tmp_path):
    for number, name in enumerate(("Scan 3.04\u202fPM.png", "schädel\u00a0(1).png")):
        save(tmp_path / "a" / name, "glioma", number)
        save(tmp_path / "b" / name, "pituitary", number)
    (tmp_path / "a" / "notes.txt").write_text("no image")

    assert len(folder(tmp_path)) == 4
