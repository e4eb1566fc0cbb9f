"""The table of results is read from finished rows; commands are those of recipes that exist."""

import json

import accuracy
import pytest

from brain_tumor.config.compose import compose

ESTIMATE = {"value": 0.9, "ci_low": 0.8, "ci_high": 0.95}


def finished(folder, images=10):
    folder.mkdir(parents=True)
    results = {
        "n": {"test": {"images": images}},
        "test": dict.fromkeys(("accuracy", "f1_macro", "detection/auroc", "localization/dice"), ESTIMATE),
        "calibration": {"test": {"after": {"ece": {"value": 0.01, "ci_low": 0.0, "ci_high": 0.02}}}},
        "operating_points": {"points": [{"test": {"sensitivity": ESTIMATE, "specificity": ESTIMATE}}]},
        "baseline": {"test": {"accuracy": images / 100, "f1_macro": 0.5}},
    }
    facts = {"model": {"parameters": 1_000_000}, "seconds": {"fit": 600.0}}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "run.json").write_text(json.dumps(facts))


@pytest.fixture
def runs(tmp_path):
    for fold in range(5):
        finished(tmp_path / "nickparvar" / "small" / str(fold), images=10 * (fold + 1))
    finished(tmp_path / "nickparvar" / "small" / "joined", images=150)
    finished(tmp_path / "published" / "small" / "0", images=20)
    finished(tmp_path / "cheng" / "small" / "0")  # four folds are missing
    return tmp_path


def test_rows_are_read_when_they_are_finished(runs):
    table = accuracy.collect(runs).set_index("name")

    assert list(table.index) == ["nickparvar/nearest", "nickparvar/small", "published/nearest", "published/small"]
    assert table.loc["nickparvar/small", "images"] == 150
    assert table.loc["nickparvar/small", "minutes"] == 10
    assert table.loc["nickparvar/small", "ece"] == 0.01
    weighted = sum((10 * n) * (10 * n / 100) for n in range(1, 6)) / 150
    assert table.loc["nickparvar/nearest", "accuracy"] == pytest.approx(weighted)


def test_the_table_and_the_plot_show_them(runs, tmp_path, capsys):
    accuracy.tell(accuracy.collect(runs))
    accuracy.plot(accuracy.collect(runs), tmp_path / "plot.png")

    assert "| nickparvar | small CNN | 0.900 [0.800, 0.950] |" in capsys.readouterr().out
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.parametrize("row", accuracy.ROWS, ids=lambda row: row.name)
def test_recipes_compose(row, tmp_path):
    cfg = compose([*row.arguments(0), f"data.root={tmp_path}", accuracy.SENSITIVITY])

    assert cfg.data.adapter.name == accuracy.SETS[row.data]
    assert cfg.split.get("fold", 0) == 0
