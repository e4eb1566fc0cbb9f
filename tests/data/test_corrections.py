"""Tables of corrected labels."""

import json

import pandas as pd
import pytest
from factories import SHORT

from brain_tumor.data.corrections import correct
from brain_tumor.errors import DataError
from brain_tumor.train import train


@pytest.fixture
def samples():
    return pd.DataFrame(
        {
            "sample_id": ["a.png", "b.png", "c.png", "d.png"],
            "label": ["glioma", "meningioma", "no_tumor", "glioma"],
            "sha256": ["1", "2", "3", "1"],
        }
    )


def table(tmp_path, text):
    path = tmp_path / "corrections.csv"
    path.write_text(text)
    return path


def test_images_are_relabelled_or_left_out(samples, tmp_path):
    rows = "sample_id,label,reason\na.png,Meningioma_Tumor,as beside it\nc.png,,shows a lesion\nb.png,meningioma,\n"
    corrected, stays, counts = correct(samples, table(tmp_path, rows))

    assert corrected["label"].tolist() == ["meningioma", "meningioma", "no_tumor", "glioma"]
    assert stays.tolist() == [True, True, False, True]
    assert counts == {"file": "corrections.csv", "relabelled": 1, "left_out": 1}


def test_a_digest_names_all_files_of_that_content(samples, tmp_path):
    corrected, stays, _ = correct(samples, table(tmp_path, "sha256,label\n1,pituitary\n"))

    assert corrected["label"].tolist() == ["pituitary", "meningioma", "no_tumor", "pituitary"]
    assert stays.all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na,b\n", r"has the columns name, label; expected sha256 or sample_id, and label"),
        ("sample_id,label\nx.png,glioma\ny.png,\n", r"names 2 images that are not in the data, first x\.png"),
        ("sample_id,label\na.png,glioma\na.png,\n", r"gives a\.png two labels"),
    ],
)
def test_mistakes_are_named(samples, tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        correct(samples, table(tmp_path, text))


def test_a_training_tells_what_was_corrected(flat_folder, tmp_path):
    rows = "sample_id,label\nglioma/00.png,\nglioma/01.png,meningioma\n"
    options = ["data=folder", f"data.root={flat_folder}", f"data.corrections={table(tmp_path, rows)}", *SHORT]
    run = train([*options, "trainer.max_epochs=1"], tmp_path / "run")

    listed = pd.read_csv(run.run_dir / "samples.csv").set_index("sample_id")["label"]
    assert "glioma/00.png" not in listed
    assert listed["glioma/01.png"] == "meningioma"
    record = json.loads((run.run_dir / "run.json").read_text())
    assert record["data"]["corrections"] == {"file": "corrections.csv", "relabelled": 1, "left_out": 1}
    assert record["data"]["files"]["left_out"]["left out by data.corrections"] == 1
    assert (
        "1 images have another class than in the data set, and 1 are left out"
        in (run.run_dir / "report.html").read_text()
    )


@pytest.mark.slow
def test_training_on_one_copy_of_each_image(flat_folder, tmp_path, caplog):
    caplog.set_level("INFO")
    for path in flat_folder.rglob("*.png"):
        for copy in (path.name, f"copy-{path.name}"):
            target = tmp_path / "twice" / path.parent.name / copy
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    options = ["data=folder", f"data.root={tmp_path / 'twice'}", *SHORT, "trainer.max_epochs=1", "data.copies=one"]
    run = train(options, tmp_path / "run")

    samples = pd.read_csv(run.run_dir / "samples.csv", dtype=str, keep_default_na=False)
    training = samples[samples["split"] == "train"]
    assert not training["sha256"].duplicated().any()
    assert set(samples["sha256"][samples["split"] == ""]) == set(training["sha256"])
    assert f"{len(training)} of {2 * len(training)} training images are copies of others" in caplog.text
