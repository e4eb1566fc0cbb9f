"""What the folds reach is kept, the table of results is computed from it, and recipes compose."""

import json

import accuracy
import numpy as np
import pandas as pd
import pytest
from accuracy_folds import folds, keep, row_estimates
from sklearn.metrics import accuracy_score, f1_score

from brain_tumor.config.compose import compose

CLASSES = ("glioma", "no_tumor")
THRESHOLD = 0.4


def finished(run, *, seed, images=40):
    """Write what a finished run leaves, as far as it is read."""
    rng = np.random.default_rng(seed)
    tumour = rng.random(images).round(3)
    labels = np.where(rng.random(images) < tumour, "glioma", "no_tumor")
    table = pd.DataFrame(
        {
            "sample_id": [f"{seed}-{n}" for n in range(images)],
            "label": labels,
            "p_glioma": tumour,
            "p_no_tumor": 1 - tumour,
            "group": [f"{seed}-{n // 2}" for n in range(images)],
            "map_area": 0.01,
            "map_dice": np.where(labels == "glioma", rng.random(images), np.nan),
        }
    )
    table = table.assign(map_iou=table["map_dice"] / 2, map_hit=(table["map_dice"] > 0.5).where(labels == "glioma"))
    (run / "predictions").mkdir(parents=True)
    table.to_csv(run / "predictions" / "test.csv", index=False)
    results = {
        "n": {"test": {"images": images}},
        "calibration": {"temperature": 1.0},
        "operating_points": {"points": [{"name": "sensitive", "threshold": THRESHOLD}]},
        "baseline": {"test": {"accuracy": images / 100, "f1_macro": 0.5}},
    }
    facts = {"model": {"parameters": 1_000_000}, "seconds": {"fit": 600.0}, "git_sha": "abc"}
    (run / "results.json").write_text(json.dumps(results))
    (run / "run.json").write_text(json.dumps(facts))
    return table


@pytest.fixture
def kept(tmp_path):
    """Two folds of one row, and the published split: the folder and the tables of the folds.

    Each is kept as an ensemble of one run, so that no network is needed for HiResCAM.
    """
    tables = []
    for row, fold, images in (("nickparvar/small", 1, 40), ("nickparvar/small", 0, 60), ("published/small", 0, 20)):
        run = tmp_path / row / str(fold)
        tables.append(finished(run, seed=len(tables), images=images))
        keep(tmp_path / "kept", row, fold, run, [run, run])
    return tmp_path / "kept", pd.concat(tables[:2])


def test_figures_are_those_of_all_test_images(kept):
    folder, images = kept
    found = {
        name: estimate["value"] for name, estimate in row_estimates(folder, "nickparvar/small", resamples=50).items()
    }
    tumour, called = images["label"] == "glioma", images["p_glioma"] >= THRESHOLD
    predicted = np.where(images["p_glioma"] > 0.5, "glioma", "no_tumor")

    assert found["accuracy"] == pytest.approx(accuracy_score(images["label"], predicted))
    assert found["f1_macro"] == pytest.approx(f1_score(images["label"], predicted, average="macro"))
    assert found["sensitivity"] == pytest.approx(called[tumour].mean())
    assert found["specificity"] == pytest.approx(1 - called[~tumour].mean())
    recognised = images["map_dice"][tumour & (predicted == "glioma")]
    assert found["recognised_dice"] == pytest.approx(recognised.mean(), abs=1e-4)
    assert found["localization/false_area"] == pytest.approx(0.01)


def test_intervals_are_by_group(kept):
    accuracy_of_row = row_estimates(kept[0], "nickparvar/small", resamples=200)["accuracy"]

    assert accuracy_of_row["n"] == 100
    assert accuracy_of_row["ci_low"] < accuracy_of_row["value"] < accuracy_of_row["ci_high"]


def test_a_fold_that_is_kept_again_replaces_its_record(kept, tmp_path):
    run = tmp_path / "again"
    finished(run, seed=7, images=30)
    keep(kept[0], "nickparvar/small", 1, run, [run, run])

    records = folds(kept[0])
    assert list(zip(records["name"], records["fold"], records["images"], strict=True)) == [
        ("nickparvar/small", 0, 60),
        ("nickparvar/small", 1, 30),
        ("published/small", 0, 20),
    ]
    assert row_estimates(kept[0], "nickparvar/small", resamples=50)["accuracy"]["n"] == 90


def test_keeping_the_same_run_twice_changes_no_byte(kept, tmp_path):
    before = {path.name: path.read_bytes() for path in kept[0].iterdir()}
    run = tmp_path / "nickparvar/small/0"
    keep(kept[0], "nickparvar/small", 0, run, [run, run])

    assert {path.name: path.read_bytes() for path in kept[0].iterdir()} == before


def test_the_table_has_a_row_for_what_is_kept_and_the_baseline(kept, tmp_path, capsys):
    table = accuracy.collect(kept[0])
    accuracy.tell(table)
    accuracy.plot(table, tmp_path / "plot.png")
    rows = table.set_index("name")

    assert list(rows.index) == ["nickparvar/nearest", "nickparvar/small", "published/nearest", "published/small"]
    assert rows.loc["nickparvar/small", "folds"] == "2 of 5"
    assert rows.loc["published/small", "folds"] == "1 of 1"
    assert rows.loc["nickparvar/small", "minutes"] == 20  # of both members of the ensemble
    assert rows.loc["nickparvar/nearest", "accuracy"] == pytest.approx((40 * 0.4 + 60 * 0.6) / 100)
    assert "| nickparvar | small CNN | " in capsys.readouterr().out
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.parametrize("row", [row for row in accuracy.ROWS if row.model != "ensemble"], ids=lambda row: row.name)
def test_recipes_compose(row, tmp_path):
    cfg = compose([*row.arguments(0), f"data.root={tmp_path}", accuracy.SENSITIVITY])

    assert cfg.data.adapter.name == accuracy.SETS[row.data]
    assert cfg.split.get("fold", 0) == 0
