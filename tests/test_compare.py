"""`brain-tumor compare`, through the front door."""

import json
import sys

import pandas as pd
import pytest
from pipelines.paper_runs import predictions, write_run

from brain_tumor.__main__ import main
from brain_tumor.compare import compare
from brain_tumor.errors import BrainTumorError, ConfigError

FEW = "resamples=300"


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.fixture
def runs(tmp_path):
    """A good run, a poor one, and a table from elsewhere."""
    write_run(tmp_path / "good", ["model.name=vit"], accuracy=0.95)
    write_run(tmp_path / "poor", ["model.name=cnn"], accuracy=0.6, seed=1)
    predictions(0.8, seed=2).drop(columns="group").to_csv(tmp_path / "other.csv", index=False)
    return tmp_path


def test_leaves_what_it_says(runs):
    found = compare([str(runs / "poor"), str(runs / "good"), str(runs / "other.csv"), FEW], runs / "out")

    assert {path.name for path in (runs / "out").iterdir()} == {
        "compare.json", "compare.csv", "pairs.csv", "forest.png", "compare.html",
    }  # fmt: skip
    assert json.loads((runs / "out" / "compare.json").read_text()) == found
    table = pd.read_csv(runs / "out" / "compare.csv")
    assert table["name"].tolist() == ["good", "other.csv", "poor"]
    assert table["difference_p_holm"][2] < 0.05
    pairs = pd.read_csv(runs / "out" / "pairs.csv")
    assert len(pairs) == 3
    assert {"difference_p_holm", "mcnemar_only_first", "delong_any tumour_p_holm"} <= set(pairs)
    assert found["n"] == {"images": 80, "groups": 40, "classes": ["glioma", "no_tumor"]}


def test_a_table_and_a_figure_for_a_paper(runs):
    options = ["format=[latex,markdown,csv]", "columns=[brier,f1/glioma]", "figures.formats=[pdf]"]
    found = compare([str(runs / "poor"), str(runs / "good"), FEW, *options], runs / "out")

    files = {path.name for path in (runs / "out").iterdir()}
    assert {"table.tex", "table.md", "table.csv", "forest.png", "forest.pdf"} <= files
    table = pd.read_csv(runs / "out" / "table.csv")
    assert table["metric"].tolist() == ["f1_macro", "brier", "f1/glioma"] * 2
    assert table["value"][1] == pytest.approx(found["candidates"][0]["metrics"]["brier"]["value"])
    assert compare([str(runs / "poor"), str(runs / "good"), FEW, "format=csv"], runs / "b")["baseline"] == {}
    assert not (runs / "b" / "table.tex").exists()


def test_the_table_has_the_baseline_and_what_to_cite(runs):
    for name, scores in {
        "good": {"f1_macro": 0.7, "accuracy": 0.9},
        "poor": {"f1_macro": 0.8, "accuracy": 0.6},
    }.items():
        change(runs / name / "results.json", baseline={"name": "1-NN", "test": scores})
        change(runs / name / "run.json", data={"name": "nickparvar", "citation": "Nickparvar & al. 2021"})

    named = [str(runs / "poor"), str(runs / "good"), str(runs / "other.csv")]
    found = compare([*named, FEW, "format=latex"], runs / "out")

    assert found["baseline"] == {"f1_macro": 0.8, "accuracy": 0.9}  # the higher bar
    assert [one["baseline"] for one in found["candidates"]] == [0.7, None, 0.8]
    text = (runs / "out" / "table.tex").read_text()
    assert "1-NN baseline & 0.900 & 0.800 & -- &" in text
    assert text.count("% @misc{") == 2
    assert r"%   note = {{Nickparvar \& al. 2021}}," in text


def test_the_same_seed_the_same_figures(runs):
    named = [str(runs / "poor"), str(runs / "good"), FEW]

    assert compare(named, runs / "a") == compare(named, runs / "b")
    assert compare([*named, "seed=1"], runs / "c") != compare(named, runs / "a")


def test_a_run_of_a_real_training_against_its_copy(trained, run_copy, tmp_path):
    """The same training twice is no replicate, but two candidates, of which each may take the place of the other."""
    found = compare([str(run_copy), f"champion={trained}", FEW], tmp_path / "out")

    assert [one["difference"] and one["difference"]["p"] for one in found["candidates"]] == [None, 1.0]
    assert [one["best_share"] for one in found["candidates"]] == [0.5, 0.5]
    (change,) = found["change"]["changes"]
    assert change["passed"]
    assert len(change["criteria"]) == 6
    record = (tmp_path / "out" / "change_record.md").read_text()
    assert "data digest" in record


def test_seeds_in_a_folder_are_one_candidate(tmp_path):
    for seed in range(3):
        write_run(tmp_path / "sweep" / str(seed), [f"seed={seed}"], seed=seed)

    found = compare([str(tmp_path / "sweep"), FEW], tmp_path / "out")

    (candidate,) = found["candidates"]
    assert (candidate["name"], candidate["seeds"]) == ("sweep", 3)
    assert candidate["sd"] > 0


@pytest.mark.parametrize("found_folds", [2, 4])
def test_folds_that_are_missing_are_noted(found_folds, tmp_path):
    """Of four folds of 20 images, two or all are there; each run lists all images of its data."""
    for fold in range(found_folds):
        rows = slice(20 * fold, 20 * fold + 20)
        run = write_run(tmp_path / "sweep" / str(fold), [f"split.fold={fold}"], split={"fold": 0}, rows=rows)
        predictions()[["sample_id"]].to_csv(run / "samples.csv", index=False)

    notes = compare([str(tmp_path / "sweep"), FEW], tmp_path / "out")["notes"]

    lacking = [note for note in notes if "lacks folds" in note]
    assert lacking == [
        "sweep lacks folds: none of its 2 runs predicted 40 of 80 images; its figures are those of the others."
    ] * (found_folds == 2)


def test_a_sweep_is_ranked_on_validation(tmp_path):
    """A model is selected from it: test must not select. Runs that are named are compared on test."""
    for number, (on_val, on_test) in enumerate(((0.95, 0.6), (0.6, 0.95))):
        run_dir = tmp_path / "sweep" / str(number)
        write_run(run_dir, [f"model.name=m{number}"], accuracy=on_test, seed=number)
        predictions(on_val, seed=number + 5).to_csv(run_dir / "predictions" / "val.csv", index=False)

    sweep = compare([str(tmp_path / "sweep"), FEW], tmp_path / "a")
    named = compare([str(tmp_path / "sweep" / "0"), str(tmp_path / "sweep" / "1"), FEW], tmp_path / "b")

    assert (sweep["eval_split"], named["eval_split"]) == ("val", "test")
    assert "m0" in sweep["candidates"][0]["name"]
    assert named["candidates"][0]["name"] != sweep["candidates"][0]["name"]
    assert compare([str(tmp_path / "sweep"), FEW, "eval_split=test"], tmp_path / "c")["eval_split"] == "test"
    assert "These are validation images" in sweep["notes"][0]
    assert "validation images" in (tmp_path / "a" / "compare.html").read_text()
    assert "test images" in (tmp_path / "b" / "compare.html").read_text()


def test_half_of_validation_is_no_test(tmp_path):
    for number in range(2):
        tuning = {"tuning": number == 0}
        write_run(tmp_path / str(number), [f"model.name=m{number}"], seed=number, split=tuning)

    notes = compare([str(tmp_path / "0"), str(tmp_path / "1"), FEW], tmp_path / "out")["notes"]

    assert "1 of 2 runs left the test set out" in notes[0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["metric=f2"], "Invalid metric=f2: expected loss"),
        (["eval_split=train"], "Invalid eval_split=train: expected val, test"),
        (["level=1.5"], "Invalid level=1.5"),
        (["resamples=0"], "Invalid resamples=0"),
        (["acceptance.ece=-1"], "Invalid acceptance.ece=-1: expected a number from 0, or null"),
        (["acceptance.f1_macro=much"], "Invalid acceptance.f1_macro=much"),
        (
            ["format=word"],
            r"Invalid format=word: expected latex, markdown or csv, or a list: \[latex,markdown\], or null",
        ),
        (["format=[latex,word]"], r"Invalid format=.*word'.: expected latex"),
        (["columns=[f1_macro,f2]"], r"Invalid columns=\[f2\]: expected metrics: loss, f1_macro"),
        (["figures.formats=[png,gif]"], r"Invalid figures.formats=.*gif'.: expected a list of png, pdf and svg"),
        (["eval_split=val"], "neither predictions/val.csv nor finished runs"),
    ],
)
def test_wrong_settings(runs, more, sentence):
    with pytest.raises(BrainTumorError, match=sentence):
        compare([str(runs / "poor"), str(runs / "good"), *more], runs / "out")


def test_no_runs_named(tmp_path):
    with pytest.raises(ConfigError, match="runs is not set"):
        compare([], tmp_path)


def test_a_champion_is_one_candidate(runs, tmp_path):
    with pytest.raises(ConfigError, match="its runs belong to 2 candidates"):
        compare([str(runs / "other.csv"), f"champion={runs}", FEW], tmp_path / "out")


def test_a_champion_without_a_challenger(tmp_path):
    for seed in range(2):
        write_run(tmp_path / "sweep" / str(seed), [f"seed={seed}"], seed=seed)

    with pytest.raises(ConfigError, match=r"All runs are one candidate, 'sweep'.*pool=false"):
        compare([str(tmp_path / "sweep"), f"champion={tmp_path / 'sweep' / '0'}", FEW], tmp_path / "out")


def test_a_folder_that_cannot_be_written(runs):
    (runs / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be written"):
        compare([str(runs / "poor"), str(runs / "good"), FEW], runs / "file")


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Run `brain-tumor compare` in this process: (exit code, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(
            sys, "argv", ["brain-tumor", "compare", *arguments, f"hydra.run.dir={tmp_path / 'out'}", FEW]
        )
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_runs_need_no_key(runs, command):
    code, out, _ = command(str(runs / "good"), str(runs / "poor"))

    assert code == 0
    assert "not a medical device" in out
    assert str(runs / "out" / "compare.html") in out


def test_it_says_where_the_table_is(runs, command):
    code, out, _ = command(str(runs / "good"), str(runs / "poor"), "format=markdown")

    assert code == 0
    assert f"Table: {runs / 'out' / 'table.md'}" in out


def test_a_gate_that_fails_stops_a_pipeline(runs, command):
    code, out, err = command(str(runs / "poor"), f"champion={runs / 'good'}")

    assert code == 1
    assert "FAIL" in out
    assert err.startswith("brain-tumor compare: Not every criterion is met by poor: see change_record.md in ")
    assert len(err.strip().splitlines()) == 1
    assert (runs / "out" / "change_record.md").is_file()


def test_unless_it_is_only_to_be_written_down(runs, command):
    assert command(str(runs / "poor"), f"champion={runs / 'good'}", "fail_if_rejected=false")[0] == 0


def test_a_mistake_is_one_sentence(runs, command):
    predictions(n=60).to_csv(runs / "fewer.csv", index=False)

    code, _, err = command(str(runs / "good"), str(runs / "fewer.csv"))

    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert (
        "good and fewer.csv were tested on different images: 60 in common, 20 only in good, 0 only in fewer.csv" in err
    )
