"""Tables of other frameworks, judged through the front door, and what they must be."""

import json
import sys

import pandas as pd
import pytest

from brain_tumor.__main__ import main
from brain_tumor.errors import BrainTumorError, ConfigError
from brain_tumor.evaluate import evaluate

FAST = ["evaluation.resamples=50"]


@pytest.fixture(scope="module")
def tables(trained, tmp_path_factory):
    """A run's tables as another framework would write them: bare, with its own names of classes."""
    folder = tmp_path_factory.mktemp("tables")
    for split in ("val", "test"):
        table = pd.read_csv(trained / "predictions" / f"{split}.csv")
        bare = table[["sample_id", "label", *(name for name in table if name.startswith("p_"))]]
        bare = bare.rename(columns={"p_no_tumor": "p_Healthy", "p_glioma": "p_Glioma_Tumor"})
        bare = bare.replace({"label": {"no_tumor": "Healthy", "glioma": "Glioma_Tumor"}})
        bare.to_csv(folder / f"{split}.csv", index=False)
    return folder


def written(folder):
    return json.loads((folder / "results.json").read_text())


class TestTables:
    def test_a_bare_table(self, trained, tables, tmp_path):
        results = evaluate([f"predictions={tables / 'test.csv'}", *FAST], tmp_path)

        before = written(trained)
        assert results["test"]["f1_macro"]["value"] == before["test"]["f1_macro"]["value"]
        assert results["test"]["detection/auroc"]["value"] == before["test"]["detection/auroc"]["value"]
        assert set(results) == {"test", "n"}
        assert "has no groups" in (tmp_path / "report.html").read_text()

    def test_figures_for_a_paper_lie_beside_those_of_the_page(self, tables, tmp_path):
        options = ["figures.formats=[pdf,svg]", "figures.dpi=50"]
        evaluate([f"predictions={tables / 'test.csv'}", *options, *FAST], tmp_path)

        files = {path.name for path in (tmp_path / "figures").iterdir()}
        assert {f"{name}.{suffix}" for name in ("confusion_matrix", "roc") for suffix in ("png", "pdf", "svg")} <= files

    def test_with_validation_everything_is_chosen_there(self, trained, tables, tmp_path):
        results = evaluate([f"predictions={tables / 'test.csv'}", f"val={tables / 'val.csv'}", *FAST], tmp_path)

        before = written(trained)
        assert results["calibration"]["temperature"] == pytest.approx(before["calibration"]["temperature"])
        assert results["conformal"]["target"] == 0.9

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda table: table.drop(columns="label"), "has no column label"),
            (lambda table: table.assign(label="ependymoma"), "label that is none of the classes"),
            (lambda table: table.assign(p_pituitary=7.0), "probabilities that are not numbers"),
            (lambda table: table.assign(p_pituitary="x"), "probabilities that are not numbers"),
            (lambda table: table.assign(sample_id="a"), "repeat a sample_id"),
            (lambda table: table.iloc[:0], "has no rows"),
        ],
    )
    def test_malformed_tables_end_with_one_sentence(self, tables, tmp_path, monkeypatch, capsys, spoil, words):
        file = tmp_path / "bad.csv"
        spoil(pd.read_csv(tables / "test.csv")).to_csv(file, index=False)
        command = ["brain-tumor", "evaluate", f"predictions={file}", f"hydra.run.dir={tmp_path / 'out'}"]
        monkeypatch.setattr(sys, "argv", command)

        with pytest.raises(SystemExit) as stop:
            main()

        said = capsys.readouterr().err
        assert stop.value.code == 2
        assert words in said
        assert str(file) in said
        assert "Traceback" not in said

    def test_the_same_image_on_both_sides_is_refused(self, tables, tmp_path):
        with pytest.raises(ConfigError, match="images are in both"):
            evaluate([f"predictions={tables / 'test.csv'}", f"val={tables / 'test.csv'}"], tmp_path)

    def test_other_classes_in_validation_are_refused(self, tables, tmp_path):
        other = pd.read_csv(tables / "val.csv").rename(columns={"p_pituitary": "p_other"})
        other[other["label"] != "pituitary"].to_csv(tmp_path / "val.csv", index=False)

        with pytest.raises(ConfigError, match="both tables need the same ones"):
            evaluate([f"predictions={tables / 'test.csv'}", f"val={tmp_path / 'val.csv'}"], tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Found nothing to evaluate; expected exactly one of run=RUN"),
        (["run=a", "predictions=b"], "Found run and predictions; expected exactly one"),
        (["run=/no/such"], "is no finished run"),
        (["bundle=/no/such"], "needs data=…: a bundle holds no images"),
        (["bundle=/no/such", "data=folder", "data.root=/no/such"], "holds no bundle"),
        (["predictions=/no/such.csv"], "was not found"),
        (["predictions=a", "data=folder", "data.root=b"], "use data=… with run= or bundle="),
        (["run=a", "val=b"], "goes with predictions"),
        (["run=a", "overlap=maybe"], "Invalid overlap=maybe: expected refuse or leave_out or allow"),
        (
            ["predictions=a", "evaluation.prevalence=2"],
            "Invalid evaluation.prevalence=2: expected between 0 and 1",
        ),
    ],
)
def test_mistakes_end_with_one_sentence(options, words, tmp_path):
    with pytest.raises(BrainTumorError, match=words):
        evaluate(options, tmp_path)


def test_class_map_without_other_data(trained, tmp_path):
    with pytest.raises(ConfigError, match="Invalid class_map=binary without data=…"):
        evaluate([f"run={trained}", "class_map=binary"], tmp_path)
