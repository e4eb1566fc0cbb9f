import pytest
from paper_runs import write_run

from brain_tumor.errors import ConfigError
from brain_tumor.pipelines.compared_runs import find_runs
from brain_tumor.sweeps.jobs import Job, Plan


def test_runs_tables_and_folders_in_the_order_named(tmp_path):
    runs = [write_run(tmp_path / "many" / name) for name in "ba"]
    alone = write_run(tmp_path / "alone")
    write_run(tmp_path / "many" / "broken", status="failed")
    (tmp_path / "many" / "notes").mkdir()
    csv = alone / "predictions" / "test.csv"

    found = find_runs([str(alone), str(tmp_path / "many"), str(csv)], "test")

    assert found == [alone, runs[1], runs[0], csv]


def test_a_sweep_names_its_jobs_wherever_they_lie(tmp_path):
    elsewhere, inside = write_run(tmp_path / "elsewhere"), write_run(tmp_path / "sweep" / "1")
    write_run(tmp_path / "sweep" / "2", status="running")
    write_run(tmp_path / "sweep" / "older")
    jobs = [Job(0, str(elsewhere), []), Job(1, "1", []), Job(2, "2", []), Job(3, "3", [])]
    Plan("train", None, None, [], jobs).write(tmp_path / "sweep")

    assert find_runs(str(tmp_path / "sweep"), "test") == [elsewhere, inside]


def test_nothing_named():
    assert find_runs(None, "test") == []


def test_places_without_predictions(tmp_path):
    write_run(tmp_path / "runs" / "a", status="failed")

    with pytest.raises(ConfigError, match=r"nowhere does not exist; give run directories"):
        find_runs([str(tmp_path / "nowhere")], "test")
    with pytest.raises(ConfigError, match=r"has neither predictions/test.csv nor finished runs"):
        find_runs([str(tmp_path / "runs")], "test")
    with pytest.raises(ConfigError, match=r"predictions/val.csv"):
        find_runs([str(tmp_path / "runs" / "a")], "val")
