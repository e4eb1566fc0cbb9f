"""The benchmarks still run: small, on generated images; and, slowly, meet their bars."""

import importlib
import json

import bench
import charts
import pytest
import scaling
import startup
import time_to_f1
import training


@pytest.mark.parametrize("name", bench.PARTS)
def test_parts_measure_and_tell(name):
    part = importlib.import_module(name)
    assert callable(part.measure)
    assert callable(part.tell)


def test_parts_are_kept_beside_each_other(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(startup, "COMMANDS", {"--help": (0.5, 0)})
    monkeypatch.setattr(startup.measure, "__defaults__", (1,))
    (tmp_path / "bench.json").write_text('{"growth": {}}')

    found = bench.main(["--only", "startup", "--out", str(tmp_path)])

    assert set(found) == {"growth", "startup", "machine"}
    assert found == json.loads((tmp_path / "bench.json").read_text())
    assert "asked: ≤ 0.5" in capsys.readouterr().out
    assert (tmp_path / "startup.png").stat().st_size > 5000


def test_a_command_that_ends_otherwise_is_no_measurement():
    with pytest.raises(RuntimeError, match="ended with exit code 2"):
        startup._run("nonsense", 0)


@pytest.mark.slow
def test_training_beside_floor_and_peers(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("BRAIN_TUMOR_SHARED", raising=False)
    monkeypatch.setattr(training, "MODELS", {"cnn": (["model=small_cnn", "model.widths=[8,8]"], 60)})
    monkeypatch.setattr(training, "SIZE", 32)
    monkeypatch.setattr(training, "RUN", [*training.RUN, "data.image_size=32", "data.batch_size=8"])

    found = training.measure(("cnn",), repeats=1)
    training.tell(found)
    training.plot(found, tmp_path / "training.png")

    one = found["cnn"]
    assert set(one["images_per_s"]) == {"floor", "ours", "timm", "template"}
    assert min(rate for rates in one["images_per_s"].values() for rate in rates) > 0
    assert len(one["of_floor_by_epoch"]) == training.EPOCHS["ours"] - 1
    assert min(one["of_floor_by_epoch"]) <= one["of_floor"] <= max(one["of_floor_by_epoch"])
    assert "of the floor (quartiles " in capsys.readouterr().out
    assert (tmp_path / "training.png").stat().st_size > 5000


def test_a_race_is_told_and_drawn(tmp_path, capsys):
    curves = {"ours": [(10.0, 0.9), (20.0, 0.98)], time_to_f1.STUDY: [(100.0, 0.8), (300.0, 0.96)]}
    found = {
        "target": 0.97, "curves": curves,
        "seconds": {"ours": 20.0, time_to_f1.STUDY: None}, "times_faster": 15.0, "study_reached_it": False,
    }  # fmt: skip
    time_to_f1.plot(found, tmp_path / "race.png")
    time_to_f1.tell(found)

    assert (tmp_path / "race.png").stat().st_size > 10_000
    assert "at least 15.0 × as fast" in capsys.readouterr().out
    assert time_to_f1.seconds_to(curves["ours"]) == 20.0
    assert time_to_f1.seconds_to(curves[time_to_f1.STUDY]) is None


def test_scaling_is_told_and_drawn(tmp_path, capsys):
    found = {
        "samples_per_second": {"1": [400, 410, 420], "2": [600, 630, 640]},
        "data_wait": {"1": 0.05, "2": 0.06}, "efficiency": {"1": 1.0, "2": 0.77},
    }  # fmt: skip
    scaling.plot(found, tmp_path / "scaling.png")
    scaling.tell(found)

    assert (tmp_path / "scaling.png").stat().st_size > 5000
    assert "2 process(es): 630 samples/s, efficiency 77%" in capsys.readouterr().out


def test_bars_end_where_they_should(tmp_path):
    with charts.chart(tmp_path / "bars.png", 6, 2) as [axes]:
        charts.draw(axes, {"first": charts.Bar(2, 1, 5), "second": charts.Bar(3, 3, 3, asked=4)})

    assert [bar.get_width() for bar in axes.patches] == [2, 3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    [asked] = [line for line in axes.lines if line.get_label() == "asked for"]
    assert (list(asked.get_xdata()), list(asked.get_ydata())) == ([4], [1])
    assert (tmp_path / "bars.png").is_file()
