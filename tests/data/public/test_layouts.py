import logging
from pathlib import Path

import pandas as pd
import pytest
from data.public.layouts import write, write_mat
from factories import save

from brain_tumor.data.public import public_set
from brain_tumor.data.public.compare_with_published import count
from brain_tumor.data.public.layouts import recognise
from brain_tumor.data.public.registry import SETS
from brain_tumor.data.readers.reading import read_image
from brain_tumor.data.samples import COLUMNS
from brain_tumor.errors import DataError


@pytest.mark.parametrize("name", SETS)
def test_every_layout_is_read_and_recognised(name, tmp_path):
    write(name, tmp_path, train=3, test=2)

    samples = public_set(name, tmp_path).samples

    splits = {"train": 3, "test": 2} if SETS[name].split_folders else {"": 3}
    assert count(samples) == {split: dict.fromkeys(SETS[name].classes, images) for split, images in splits.items()}
    assert list(samples.columns) == list(COLUMNS)
    assert set(samples["source"]) == {name}
    assert all(read_image(path).shape == (48, 48) for path in samples["path"])
    assert not samples[["sha256", "group", "fold"]].to_numpy().any()
    assert recognise(tmp_path).name == name


def test_cheng_has_patients_and_masks(tmp_path):
    samples = public_set("cheng", write("cheng", tmp_path, train=4)).samples

    assert samples["patient_id"].nunique() == 6
    assert samples["patient_id"].str.fullmatch(r"MR\d{6}").all()
    assert samples["sample_id"][0] == "brainTumorDataPublic_1-766/100.mat"
    assert samples["mask_path"][0] == f"{tmp_path / samples['sample_id'][0]}#mask"
    assert set(read_image(samples["mask_path"][0]).ravel()) == {0, 255}


def test_cheng_as_images(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", "glioma", number)
        save(tmp_path / "masks" / f"{number}.png", "glioma", number)
    rows = pd.DataFrame({"image": [f"images/{number}.png" for number in range(4)], "class": "glioma"})
    rows["pid"] = ["MR040240", "MR040240B", "7", "8"]
    rows["mask"] = ["masks/0.png", "", "masks/9.png", ""]
    rows.to_csv(tmp_path / "metadata.csv", index=False)

    samples = public_set("cheng", tmp_path).samples

    assert samples["patient_id"].tolist() == ["MR040240", "MR040240", "7"]
    assert samples["mask_path"].tolist() == [str(tmp_path / "masks" / "0.png"), "", ""]


def test_brisc_has_planes_and_masks(tmp_path):
    samples = public_set("brisc2025", write("brisc2025", tmp_path, train=3, test=1)).samples.set_index("sample_id")

    row = samples.loc["train/glioma/brisc2025_train_00002_gl_sa_t1.jpg"]
    assert (row["plane"], row["split"], row["patient_id"]) == ("sagittal", "train", "")
    assert Path(row["mask_path"]).name == "brisc2025_train_00002_gl_sa_t1.png"
    assert set(samples["plane"]) == {"axial", "coronal", "sagittal"}
    assert set(samples["mask_path"][samples["label"] == "no_tumor"]) == {""}


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("train/glioma/scan1.jpg", "scan1.jpg: expected the form brisc2025"),
        ("train/glioma/brisc2025_train_00001_me_ax_t1.jpg", "folder of glioma, but its name says meningioma"),
    ],
)
def test_invalid_file_names_of_brisc(tmp_path, file, sentence):
    save(tmp_path / "classification_task" / file, "glioma", 0)

    with pytest.raises(DataError, match=sentence):
        public_set("brisc2025", tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_a_wrong_layout(name, tmp_path):
    save(tmp_path / "cats" / "1.png", "glioma", 0)
    save(tmp_path / "dogs" / "1.png", "glioma", 1)

    with pytest.raises(
        DataError, match=rf"does not have the layout of {name}: expected .* it contains cats, dogs"
    ) as caught:
        public_set(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert recognise(tmp_path) is None


def test_other_errors(tmp_path):
    (tmp_path / "zips").mkdir()
    (tmp_path / "zips" / "brainTumorDataPublic_1-766.zip").write_bytes(b"")
    write_mat(tmp_path / "label" / "1.mat", 4, "1", read_image(save(tmp_path / "x.png", "glioma", 0)))
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "metadata.csv").write_text("image,label\n")

    for name, root, sentence in (
        ("nothing", tmp_path, "no public set 'nothing': expected one of nickparvar, bhuvaji"),
        ("cheng", tmp_path / "absent", "absent is missing: expected the folder"),
        ("cheng", tmp_path / "zips", "archives that are not unpacked"),
        ("cheng", tmp_path / "label", "invalid label 4: expected 1"),
        ("cheng", tmp_path / "table", "has no column class and no column pid"),
    ):
        with pytest.raises(DataError, match=sentence):
            public_set(name, root)


def test_differences_licence_and_citation_are_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        public_set("navoneel", write("navoneel", tmp_path, train=2))

    assert "navoneel: licence not verified. Cite: Chakrabarty N." in caplog.messages[0]
    assert "differs from the published set: no_tumor 2 instead of 98; tumor 2 instead of 155." in caplog.messages[1]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "patients"), [("nickparvar", 0), ("cheng", 209), ("preetviradiya", 0)])
def test_real_sets_match_the_registry(name, patients, shared, caplog):
    samples = public_set(name, shared / "data" / name).samples

    assert count(samples) == SETS[name].releases[0].counts
    assert samples["patient_id"][samples["patient_id"] != ""].nunique() == patients
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert recognise(shared / "data" / name).name == name
    assert (samples["mask_path"] != "").all() == (name == "cheng")


@pytest.mark.shared
def test_patients_of_cheng_are_grouped_as_in_its_metadata(shared):
    table = pd.read_csv(shared / "data" / "cheng" / "metadata.csv", dtype=str)
    from brain_tumor.data.public.cheng import patient_group

    assert table["pid"].nunique() == 233
    assert (table["pid"].map(patient_group) == table["patient_group"]).all()
