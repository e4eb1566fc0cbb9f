"""`brain-tumor predict`: from files to a table of predictions."""

import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from factories import draw, save

from brain_tumor.errors import BrainTumorError, BundleError, DataError
from brain_tumor.predict import predict


@pytest.fixture
def scans(flat_folder, tmp_path):
    root = tmp_path / "scans"
    save(root / "a" / "one.png", "glioma", 100)
    save(root / "two.png", "no_tumor", 101)
    (root / "broken.png").write_bytes(b"no image")
    (root / "notes.txt").write_text("no scan")
    volume = np.stack([draw("pituitary", seed) for seed in range(4)], axis=2)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), root / "volume.nii.gz")
    return root


def test_every_image_of_a_folder(trained, scans, tmp_path, caplog, capsys):
    table = predict([f"bundle={trained}", f"input={scans}", "data.slices=all", "batch_size=2"], tmp_path / "out")

    assert table["sample_id"].tolist() == ["a/one.png", "two.png", *(f"volume.nii.gz#axial:{n}" for n in range(4))]
    classes = ["glioma", "meningioma", "no_tumor", "pituitary"]
    assert table.columns.tolist() == [
        "sample_id", "path", "label", "prediction", *(f"p_{name}" for name in classes), "group", "source", "plane",
        "patient_id", "series", "rejected", "ood_score", "decision", "abstain", "conformal_set",
    ]  # fmt: skip
    assert set(table["label"]) == {""}
    assert table["plane"].tolist() == ["", "", *["axial"] * 4]
    read = pd.read_csv(tmp_path / "out" / "predictions.csv", keep_default_na=False)
    assert read["prediction"].tolist() == table["prediction"].tolist()
    assert f"Left out: {scans / 'broken.png'} holds no image" in caplog.text
    assert "not a medical device" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["two.png", "volume.nii.gz#axial:2"])
def test_one_image(trained, scans, tmp_path, name):
    table = predict([f"bundle={trained}", f"input='{scans / name}'", f"output={tmp_path / 'new' / 'p.csv'}"], tmp_path)

    assert table["sample_id"].tolist() == [name]
    assert (tmp_path / "new" / "p.csv").is_file()


def test_slices_can_be_selected(trained, scans, tmp_path):
    table = predict([f"bundle={trained}", f"input={scans / 'volume.nii.gz'}", "data.slices=index:1"], tmp_path)

    assert table["sample_id"].tolist() == ["volume.nii.gz#axial:1"]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere", "nowhere does not exist; give an image, a scan, or a folder of them"),
        ("empty", "empty holds no images"),
        ("broken.png", "None of the 1 images can be read, first: .*broken.png holds no image of a known format"),
    ],
)
def test_nothing_to_predict(trained, scans, tmp_path, place, sentence):
    (scans / "empty").mkdir()

    with pytest.raises(DataError, match=sentence):
        predict([f"bundle={trained}", f"input={scans / place}"], tmp_path / "out")


def test_no_bundle(scans, tmp_path):
    with pytest.raises(BundleError, match="holds no bundle"):
        predict([f"bundle={tmp_path}", f"input={scans}"], tmp_path / "out")


@pytest.mark.parametrize("override", ["batch_size=0", "engine=abacus", "data.slices=some", "data.plane=oblique"])
def test_wrong_settings(trained, scans, tmp_path, override):
    with pytest.raises(BrainTumorError, match=f"Invalid {override}: expected"):
        predict([f"bundle={trained}", f"input={scans}", override], tmp_path / "out")


@pytest.mark.slow
def test_command_line_reports_an_error_in_one_sentence(scans, tmp_path):
    shutil.rmtree(scans / "a")
    command = [sys.executable, "-m", "brain_tumor", "predict", f"bundle={tmp_path}", f"input={scans}"]

    done = subprocess.run([*command, f"hydra.run.dir={tmp_path / 'out'}"], capture_output=True, text=True, timeout=600)

    assert done.returncode == 2
    assert done.stderr.startswith("brain-tumor predict: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_volume_is_looked_at_as_a_whole(trained, tmp_path, capsys):
    """Every slice that holds brain is predicted; the volume has a row of its own, with its key slice."""
    for number in range(2):
        slices = [draw("glioma", 50 + 10 * number + depth) for depth in range(12)]
        volume = np.stack([np.zeros_like(slices[0])] * 3 + slices, axis=2)
        file = tmp_path / "in" / f"sub-{number}" / f"sub-{number}_T1w.nii.gz"
        file.parent.mkdir(parents=True)
        nib.save(nib.Nifti1Image(volume, np.eye(4)), file)

    table = predict([f"bundle={trained}", f"input={tmp_path / 'in'}"], tmp_path / "out")

    assert len(table) == 24
    assert table["series"].nunique() == table["group"].nunique() == 2
    assert table["patient_id"].unique().tolist() == ["sub-0", "sub-1"]
    assert [int(name.rpartition(":")[2]) for name in table["sample_id"][:12]] == list(range(3, 15))
    volumes = pd.read_csv(tmp_path / "out" / "predictions_volumes.csv", keep_default_na=False)
    assert volumes["slices"].tolist() == [12, 12]
    assert set(volumes["key_slice"]) <= set(table["sample_id"])
    assert "2 volumes, 24 of 30 slices looked at" in " ".join(capsys.readouterr().out.split())


def test_names_with_any_characters_are_taken_as_typed(trained, tmp_path):
    for name in ("ü.png", "scan(1).png", "a,b.png", "007.png", "x [y] {z}.png", "a'b\"c.png", "100%=x.png"):
        save(tmp_path / name, "glioma", len(name))

        assert predict([f"bundle={trained}", f"input={tmp_path / name}"], tmp_path / "out")["sample_id"].tolist() == [
            name
        ]


def test_samples_are_in_natural_order(trained, tmp_path):
    for number in (1, 2, 10, 20):
        save(tmp_path / "in" / f"scan{number}.png", "glioma", number)

    table = predict([f"bundle={trained}", f"input={tmp_path / 'in'}"], tmp_path / "out")

    assert table["sample_id"].tolist() == [f"scan{number}.png" for number in (1, 2, 10, 20)]
    written = (tmp_path / "out" / "predictions.csv").read_text().splitlines()[1].split(",")
    assert all(len(number) <= 8 for number in written[4:8])
