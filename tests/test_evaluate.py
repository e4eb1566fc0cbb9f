"""A frozen model, judged through the front door."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from factories import CENTRES, bundle_config, save

from brain_tumor.errors import ConfigError, DataError
from brain_tumor.evaluate import evaluate
from brain_tumor.evaluation.calibration import softmax

FAST = ["evaluation.resamples=50", "image_evidence=false"]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Images that no model has seen, eight of each class. Read only."""
    root = tmp_path_factory.mktemp("elsewhere")
    for label in CENTRES:
        for number in range(100, 108):
            save(root / label / f"{number}.png", label, number)
    return root


@pytest.fixture(scope="module")
def own(trained, tmp_path_factory):
    """A run's own test with its images: the results, and the folder they lie in. Read only."""
    folder = tmp_path_factory.mktemp("own")
    return evaluate([f"run={trained}", "evaluation.resamples=20", "limit=4"], folder), folder


def written(folder):
    return json.loads((folder / "results.json").read_text())


class TestRun:
    def test_says_of_its_own_test_what_training_said(self, trained, tmp_path):
        results = evaluate([f"run={trained}", *FAST], tmp_path)

        before = written(trained)
        assert {name: results[name] for name in ("val", "test", "n", "calibration", "baseline", "leakage")} == {
            name: before[name] for name in ("val", "test", "n", "calibration", "baseline", "leakage")
        }
        assert {"results.json", "report.html", "run.json", "claim.md", "tripod_ai.md", "figures", "predictions"} <= {
            path.name for path in tmp_path.iterdir()
        }
        assert written(tmp_path) == results

    def test_a_second_evaluation_in_the_same_place_is_refused(self, trained, tmp_path):
        evaluate([f"run={trained}", *FAST], tmp_path)

        with pytest.raises(ConfigError, match="holds a finished run"):
            evaluate([f"run={trained}", *FAST], tmp_path)
        evaluate([f"run={trained}", *FAST, "overwrite=true"], tmp_path)

    def test_the_run_itself_is_not_touched(self, trained, tmp_path):
        before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}

        evaluate([f"run={trained}", *FAST], tmp_path)

        assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before

    def test_pictures_that_are_gone_are_named(self, run_copy, tmp_path):
        samples = pd.read_csv(run_copy / "samples.csv")
        samples.assign(path="/gone/" + samples["sample_id"]).to_csv(run_copy / "samples.csv", index=False)

        sentence = r"48 of the 48 images .* no longer exist, first /gone/.* image_evidence=false"
        with pytest.raises(DataError, match=sentence):
            evaluate([f"run={run_copy}", "evaluation.resamples=20"], tmp_path)


@pytest.mark.slow
class TestPictures:
    def test_a_run_is_asked_about_its_test(self, own):
        results, folder = own

        assert (results["robustness"]["images"], results["robustness"]["of"]) == (4, 8)
        assert results["robustness"]["clean"] == results["tta"]["before"]
        assert isinstance(results["saliency"]["sanity"]["passed"], bool)
        assert "pointing" not in results["saliency"], "these images have no masks"
        assert {"robustness.png", "saliency.png", "mistakes.png"} <= {
            file.name for file in (folder / "figures").iterdir()
        }

    def test_a_model_without_a_gate_has_no_foreign_images(self, own, trained, tmp_path):
        assert "ood" not in own[0], "eight validation images are too few for a detector"
        with pytest.raises(ConfigError, match="needs a model with an OOD detector"):
            evaluate([f"run={trained}", f"ood_images={tmp_path}", "evaluation.resamples=20"], tmp_path / "out")

    def test_mistakes_come_with_what_training_had(self, own, trained):
        samples = pd.read_csv(trained / "samples.csv").set_index("sample_id")
        table = pd.read_csv(trained / "predictions" / "test.csv").set_index("sample_id")

        rows = own[0]["mistakes"]

        assert len(rows) == min(8, (table["label"] != table["prediction"]).sum())
        for row in rows:
            assert table.loc[row["sample_id"], "prediction"] == row["prediction"] != row["label"]
            assert all(samples.loc[near["sample_id"], "split"] == "train" for near in row["nearest"])
            assert len(row["nearest"]) == 3

    def test_the_page_shows_all_of_it(self, own):
        page = (own[1] / "report.html").read_text()

        for title in (
            "Robustness",
            "Test-time augmentation",
            "Saliency",
            "Most confident errors (test)",
        ):
            assert f">{title}</h2>" in page

    def test_a_model_elsewhere_is_asked_too(self, trained, elsewhere, tmp_path):
        options = ["data=folder", f"data.root={elsewhere}", "evaluation.resamples=20", "limit=4"]

        results = evaluate([f"run={trained}", *options], tmp_path)

        assert results["robustness"]["of"] == 32
        assert all(row["nearest"] == [] for row in results["mistakes"])

    def test_masks_are_pointed_at(self, tmp_path):
        from brain_tumor.train import train

        phantoms = ["data=phantom", "data.patients=24", "data.slices=1", "data.image_size=32", *FAST[:1]]
        run = train([*phantoms, "trainer.max_epochs=1", "data.num_workers=0", "callbacks=[]"], tmp_path / "run").run_dir
        table = pd.read_csv(run / "predictions" / "test.csv")
        tumours = [name for name in table["label"].unique() if name != "no_tumor"]
        for name in ("no_tumor", *tumours):
            table.loc[table["label"] == name, [f"p_{name}"]] += 9
        columns = [name for name in table if name.startswith("p_")]
        table[columns] = table[columns].div(table[columns].sum(axis=1), axis=0)
        table.to_csv(run / "predictions" / "test.csv", index=False)

        results = evaluate([f"run={run}", "evaluation.resamples=20", "limit=4"], tmp_path / "out")

        assert results["saliency"]["pointing"]["images"] == min(4, (table["label"] != "no_tumor").sum())
        assert "mistakes" not in results or results["mistakes"] == []


class TestElsewhere:
    def test_predicts_all_with_what_was_chosen_before(self, trained, elsewhere, tmp_path):
        results = evaluate([f"run={trained}", "data=folder", f"data.root={elsewhere}", *FAST], tmp_path)

        bundle = bundle_config(trained)
        assert results["n"]["test"]["images"] == 32
        assert results["calibration"]["temperature"] == bundle["temperature"]
        found = {point["name"]: point["threshold"] for point in results["operating_points"]["points"]}
        assert found == bundle["operating_points"]
        assert results["abstention"]["below"] == bundle["abstain_below"]
        assert "conformal" not in results
        assert results["overlap"] == {"looked_for": "copies", "files": 0, "copies": 0, "same_patient": 0, "left_out": 0}

    def test_table_holds_the_network_s_own_probabilities(self, trained, elsewhere, tmp_path):
        from brain_tumor import Predictor

        evaluate([f"run={trained}", "data=folder", f"data.root={elsewhere}", *FAST], tmp_path)

        table = pd.read_csv(tmp_path / "predictions" / "test.csv")
        predictor = Predictor.load(trained)
        p = table[[f"p_{name}" for name in predictor.bundle.classes]].to_numpy()
        answers = predictor.batch(table["path"].tolist())
        asked = np.array([list(answer.probabilities.values()) for answer in answers])
        np.testing.assert_allclose(softmax(np.log(p), predictor.bundle.temperature), asked, atol=1e-6)

    def test_what_was_trained_on_is_refused(self, trained, flat_folder, tmp_path):
        with pytest.raises(DataError, match=r"of 48 images are duplicates of images that.*leave_out"):
            evaluate([f"run={trained}", "data=folder", f"data.root={flat_folder}", *FAST], tmp_path)

    def test_what_was_trained_on_can_be_left_out(self, trained, flat_folder, tmp_path):
        samples = pd.read_csv(trained / "samples.csv")

        results = evaluate(
            [f"run={trained}", "data=folder", f"data.root={flat_folder}", "overlap=leave_out", *FAST], tmp_path
        )

        assert results["n"]["test"]["images"] == (samples["split"] == "test").sum()
        assert results["overlap"]["left_out"] == (samples["split"] != "test").sum()

    def test_what_was_trained_on_can_be_allowed_and_is_told(self, trained, flat_folder, tmp_path):
        evaluate([f"run={trained}", "data=folder", f"data.root={flat_folder}", "overlap=allow", *FAST], tmp_path)

        assert "The figures are inflated" in (tmp_path / "report.html").read_text()

    def test_a_mirrored_copy_is_found_while_the_training_images_are_at_hand(self, trained, elsewhere, tmp_path):
        from PIL import Image, ImageOps

        samples = pd.read_csv(trained / "samples.csv")
        shown = samples[(samples["split"] == "train") & (samples["label"] == "glioma")]["path"].iloc[0]
        root = shutil.copytree(elsewhere, tmp_path / "scans")
        with Image.open(shown) as image:
            ImageOps.mirror(image).save(root / "glioma" / "new.png")

        with pytest.raises(DataError, match=r"1 of 33 images.*'glioma/new.png'"):
            evaluate([f"run={trained}", "data=folder", f"data.root={root}", *FAST], tmp_path / "out")

    @pytest.mark.shared
    @pytest.mark.slow
    def test_other_slices_of_a_training_patient_are_counted_and_left_out(self, shared, tmp_path, capsys):
        """Slices of the Cheng set without ids: patients of train and val are traced, those of test are new."""
        from PIL import Image

        from brain_tumor.train import train

        cheng = pd.read_csv(shared / "data" / "cheng" / "groups.csv", dtype=str)
        slices = cheng[cheng["class"] != "glioma"].groupby("cheng_patient_group").filter(lambda rows: len(rows) > 6)
        patients = slices.groupby("class")["cheng_patient_group"].unique()
        training, external = [], tmp_path / "external"
        for label, of_class in patients.items():
            for split, patient in zip(["train", "val", "test", "new"], of_class, strict=False):
                paths = slices.loc[slices["cheng_patient_group"] == patient, "path"].tolist()
                for number, path in enumerate([paths[0], paths[-1]]):
                    home = external / label if number or split == "new" else tmp_path / "training"
                    home.mkdir(parents=True, exist_ok=True)
                    with Image.open(shared / "data" / "cheng" / path) as image:
                        image.resize((180, 180)).save(home / f"{label}{split}{number}.png")
                training.append({"path": f"training/{label}{split}0.png", "label": label, "split": split})
        table = pd.DataFrame(training)
        table[table["split"] != "new"].to_csv(tmp_path / "training.csv", index=False)
        data = ["data=manifest", f"data.manifest={tmp_path / 'training.csv'}", "data.image_size=32"]
        run = train(
            [*data, "data.batch_size=2", "trainer.max_epochs=1", "data.num_workers=0", *FAST[:1]], tmp_path / "run"
        ).run_dir
        tested = [f"run={run}", "data=folder", f"data.root={external}", *FAST]

        with pytest.raises(DataError, match=r"0 of 10 images are duplicates of .*, and 4 more show a patient of these"):
            evaluate(tested, tmp_path / "refused")
        capsys.readouterr()
        results = evaluate([*tested, "overlap=leave_out"], tmp_path / "out")

        overlap = {"looked_for": "copies", "files": 0, "copies": 0, "same_patient": 4, "left_out": 4}
        assert results["overlap"] == overlap
        assert results["n"]["test"]["images"] == 6
        sentence = "4 more show a patient of these images. These 4 were left out"
        assert sentence in " ".join(capsys.readouterr().out.split())
        assert sentence in (tmp_path / "out" / "report.html").read_text()
        assert "4 more show a patient of the training data" in (tmp_path / "out" / "claim.md").read_text()

    def test_a_bundle_alone_knows_its_files(self, trained, flat_folder, elsewhere, tmp_path):
        bundle = shutil.copytree(trained / "bundle", tmp_path / "model")

        with pytest.raises(DataError, match="trained or selected on"):
            evaluate([f"bundle={bundle}", "data=folder", f"data.root={flat_folder}", *FAST], tmp_path / "out")
        results = evaluate([f"bundle={bundle}", "data=folder", f"data.root={elsewhere}", *FAST], tmp_path / "other")

        assert results["overlap"]["looked_for"] == "files"
        assert "only byte-identical files" in (tmp_path / "other" / "report.html").read_text()

    def test_tumour_or_not(self, trained, elsewhere, tmp_path):
        root = tmp_path / "binary"
        for label in CENTRES:
            for path in (elsewhere / label).iterdir():
                (root / ("no" if label == "no_tumor" else "yes")).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, root / ("no" if label == "no_tumor" else "yes") / f"{label}{path.name}")

        with pytest.raises(DataError, match="class_map=binary"):
            evaluate([f"run={trained}", "data=folder", f"data.root={root}", *FAST], tmp_path / "no")
        options = ["data=folder", f"data.root={root}", "class_map=binary", *FAST]
        results = evaluate([f"run={trained}", *options], tmp_path / "out")

        assert results["n"]["test"]["per_class"] == {"no_tumor": 8, "tumor": 24}
        assert results["operating_points"]["points"][0]["test"]["sensitivity"]["n"] == 24

    def test_one_side_of_published_data(self, trained, parted_folder, tmp_path):
        options = [f"run={trained}", "data=folder", f"data.root={parted_folder}", "overlap=allow", *FAST]

        results = evaluate([*options, "published_split=test"], tmp_path)

        assert results["n"]["test"]["images"] == 16
        with pytest.raises(DataError, match="Invalid published_split=val: expected one of test, train"):
            evaluate([*options, "published_split=val"], tmp_path / "no")
