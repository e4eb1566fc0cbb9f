"""The audit, and the refusal of a leaking split, by their entry points."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from factories import SHORT, save
from PIL import Image

from brain_tumor.audit import audit
from brain_tumor.errors import DataError
from brain_tumor.train import train


@pytest.fixture(scope="module")
def leaky(parted_folder, tmp_path_factory):
    """Training and Testing share a file, a mirrored duplicate, and an image that has another class in Testing."""
    root = shutil.copytree(parted_folder, tmp_path_factory.mktemp("leaky") / "scans")
    train_, test = root / "Training", root / "Testing"
    shutil.copy(train_ / "glioma" / "00.png", test / "glioma" / "copy.png")
    with Image.open(train_ / "pituitary" / "01.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(test / "pituitary" / "mirrored.png")
    with Image.open(train_ / "meningioma" / "02.png") as image:
        image.save(test / "glioma" / "wrong.jpg", quality=90)
    (train_ / "glioma" / "broken.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def options(leaky):
    return ["data=folder", f"data.root={leaky}", "data.image_size=48"]


@pytest.fixture(scope="module")
def audited(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    return audit(options, folder), folder


class TestAudit:
    def test_writes_the_files_of_the_contract(self, audited):
        document, folder = audited

        assert {"audit.json", "audit.html", "pairs.csv", "samples.csv"} <= {path.name for path in folder.iterdir()}
        assert json.loads((folder / "audit.json").read_text()) == document

    def test_pairs(self, audited):
        pairs = pd.read_csv(audited[1] / "pairs.csv")

        assert pairs.columns.tolist() == ["path_a", "path_b", "kind", "similarity", "mirrored", "turned"]
        found = {frozenset(pair[:2]): (pair[2], pair[4]) for pair in pairs.to_numpy().tolist()}
        assert found == {
            frozenset(("Training/glioma/00.png", "Testing/glioma/copy.png")): ("exact", 0),
            frozenset(("Training/pituitary/01.png", "Testing/pituitary/mirrored.png")): ("near", 1),
            frozenset(("Training/meningioma/02.png", "Testing/glioma/wrong.jpg")): ("near", 0),
        }

    def test_samples_have_their_group(self, audited):
        samples = pd.read_csv(audited[1] / "samples.csv", dtype=str).set_index("sample_id")

        assert len(samples) == 67
        assert samples["group"].nunique() == 64
        assert samples.loc["Training/glioma/00.png", "group"] == samples.loc["Testing/glioma/copy.png", "group"]

    def test_figures(self, audited):
        document = audited[0]
        leaks = {(row["reference"], row["split"]): row for row in document["split"]["leakage"] if not row["class"]}

        assert document["counts"] == {
            "found": 68, "readable": 67, "distinct_images": 64, "groups": 64, "patients": 0,
        }  # fmt: skip
        assert "broken.png" in document["unreadable"][0]
        assert document["label_conflicts"] == {"pairs": 1, "images": 2}
        assert document["split"]["name"] == "official"
        assert leaks["train or val", "test"]["near"] == leaks["train or val", "test"]["group"] == 3
        assert leaks["train or val", "test"]["exact"] == 1
        assert leaks["train", "val"]["group"] == 0
        assert 0.5 < document["baseline"]["split"]["accuracy"] <= 1
        assert document["baseline"]["leak_free_folds"]["accuracy_with_random_labels"] == pytest.approx(0.25, abs=0.1)

    def test_the_page_shows_the_pairs_and_needs_no_network(self, audited):
        page = (audited[1] / "audit.html").read_text()

        assert "The same image under two classes" in page
        assert "Testing/glioma/wrong.jpg" in page
        assert len(re.findall("data:image/(?:webp|jpeg|png);base64,", page)) >= 12
        assert "not a medical device" in page
        assert "http://" not in page
        assert "https://" not in page

    def test_phantoms_have_no_duplicates(self, tmp_path):
        document = audit(["data.patients=40", "data.slices=2", "data.image_size=96"], tmp_path)

        assert sum(document["pairs"].values()) == 0
        assert document["counts"]["groups"] == document["counts"]["patients"] == 40
        assert document["curation"] is None

    def test_a_groups_file_in_the_data_folder_is_verified(self, leaky, tmp_path):
        """Its groups separate duplicates: these are counted, and their groups joined."""
        root = shutil.copytree(leaky, tmp_path / "scans")
        (root / "Training" / "glioma" / "broken.png").unlink()
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))
        table = pd.DataFrame({"path": names, "group": range(len(names)), "fold": np.arange(len(names)) % 5})
        table.to_csv(root / "groups.csv", index=False)

        document = audit(["data=folder", f"data.root={root}", "data.image_size=48"], tmp_path / "audit")

        assert document["curation"]["matched"] == 67
        assert document["curation"]["copies_across_groups"] == 6
        assert document["counts"]["groups"] == 64


UNCHECKED = ["data.on_error=skip", "data.label_conflicts=keep"]


@pytest.mark.slow
class TestLeakingSplit:
    def test_training_ends_with_code_2_and_the_alternatives(self, options, tmp_path):
        command = [sys.executable, "-m", "brain_tumor", "train", *options, *SHORT, *UNCHECKED]

        done = subprocess.run([*command, f"hydra.run.dir={tmp_path}"], capture_output=True, text=True, timeout=600)

        assert done.returncode == 2
        assert "3 of 19 test images" in done.stderr or "test images show a patient or image of train" in done.stderr
        assert "split=grouped" in done.stderr
        assert "split.allow_leakage=true" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"

    def test_an_allowed_leak_is_stated_with_all_results(self, options, tmp_path):
        run = train(
            [*options, *SHORT, "trainer.max_epochs=1", *UNCHECKED, "split.allow_leakage=true",
             "logger=tensorboard"],
            tmp_path,
        )  # fmt: skip

        leakage = run.results["leakage"]
        assert leakage["allowed"] is True
        assert leakage["test_in_train"] + leakage["test_in_val"] == 3
        assert json.loads((tmp_path / "run.json").read_text())["data"]["leakage"]["test_in_train"] >= 1
        assert "These figures are inflated" in (tmp_path / "report.html").read_text()
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(tmp_path / "tensorboard"))
        events.Reload()
        assert events.Scalars("final/leakage/allowed")[-1].value == 1

    @pytest.mark.parametrize("split", ["grouped", "official_clean", "holdout", "kfold"])
    def test_the_alternatives_do_not_leak(self, options, split, tmp_path):
        run = train([*options, *SHORT, "trainer.max_epochs=1", *UNCHECKED, f"split={split}"], tmp_path)

        assert run.results["leakage"] == {"allowed": False, "val_in_train": 0, "test_in_train": 0, "test_in_val": 0}
        record = json.loads((tmp_path / "run.json").read_text())["data"]
        assert record["split"] == split
        assert record["left_out"] == (3 if split == "official_clean" else 0)
        assert record["readable"] == 67

    def test_a_split_from_a_file_that_leaks_is_refused(self, options, audited, tmp_path):
        table = pd.read_csv(audited[1] / "samples.csv", dtype=str, keep_default_na=False)
        table.to_csv(tmp_path / "mine.csv", index=False)

        with pytest.raises(DataError, match="This split leaks"):
            train([*options, *SHORT, *UNCHECKED, "split=file", f"split.path={tmp_path / 'mine.csv'}"], tmp_path)


def test_duplicates_are_one_group_in_training(tmp_path):
    """A duplicate under another file name gets the same split."""
    for label in ("glioma", "no_tumor"):
        for number in range(8):
            save(tmp_path / "scans" / label / f"{number}.png", label, number)
    shutil.copy(tmp_path / "scans" / "glioma" / "0.png", tmp_path / "scans" / "glioma" / "again.png")

    run = train(["data=folder", f"data.root={tmp_path / 'scans'}", *SHORT, "trainer.max_epochs=1"], tmp_path / "run")

    samples = pd.read_csv(tmp_path / "run" / "samples.csv", dtype=str).set_index("sample_id")
    assert samples.loc["glioma/0.png", "split"] == samples.loc["glioma/again.png", "split"]
    assert run.results["leakage"]["allowed"] is False


@pytest.mark.shared
@pytest.mark.slow
def test_audit_of_a_public_set(shared, tmp_path):
    """Nickparvar's published split, compared with reference counts and with its reference groups, dup99_group."""
    document = audit(["data=folder", f"data.root={shared / 'data' / 'nickparvar'}"], tmp_path)

    leaks = {(row["reference"], row["split"]): row for row in document["split"]["leakage"] if not row["class"]}
    test = leaks["train or val", "test"]
    assert test["pixels"] == 216
    assert test["near"] == pytest.approx(992, rel=0.01)
    assert test["near_upright"] == pytest.approx(480, rel=0.02)
    assert test["patient"] == 788
    assert document["counts"]["distinct_images"] == pytest.approx(3615, rel=0.01)
    assert document["label_conflicts"]["images"] == 8
    assert document["baseline"]["split"]["accuracy"] == pytest.approx(0.977, abs=0.01)
    assert document["baseline"]["leak_free_folds"]["accuracy"] == pytest.approx(0.710, abs=0.01)
    recall, precision = recall_and_precision(tmp_path / "pairs.csv", shared / "data" / "nickparvar" / "groups.csv")
    assert recall >= 0.98
    assert precision >= 0.98


def recall_and_precision(pairs_csv, groups_csv):
    """Recall and precision of the listed duplicates, compared with reference groups."""
    groups = pd.read_csv(groups_csv, dtype=str).set_index("path")["dup99_group"]
    pairs = pd.read_csv(pairs_csv)
    copies = pairs[pairs["kind"] != "related"]
    right = (copies["path_a"].map(groups).to_numpy() == copies["path_b"].map(groups).to_numpy()).sum()
    sizes = groups.value_counts()
    return right / (sizes * (sizes - 1) // 2).sum(), right / len(copies)
