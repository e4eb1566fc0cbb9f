import pytest
from paper_runs import write_run

from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.comparison.candidates import make_candidates
from brain_tumor.pipelines.compared_runs import leaked, read_runs, run_facts


def grouped(*paths, pool=True):
    return {one.name: one.runs for one in make_candidates(list(read_runs(paths, "test").values()), pool=pool)}


def test_seeds_are_one_recipe(tmp_path):
    runs = [
        write_run(tmp_path / str(number), [f"model.name={model}", f"seed={seed}"], seed=number)
        for number, (model, seed) in enumerate((model, seed) for model in ("cnn", "vit") for seed in range(2))
    ]

    assert grouped(*runs) == {
        "model.name=cnn": ("0", "1"),
        "model.name=vit": ("2", "3"),
    }
    assert list(grouped(*runs, pool=False)) == [
        "0: model.name=cnn seed=0", "1: model.name=cnn seed=1", "2: model.name=vit seed=0", "3: model.name=vit seed=1",
    ]  # fmt: skip


def test_folds_are_joined(tmp_path):
    folds = [
        write_run(tmp_path / "cv" / str(k), [f"split.fold={k}"], split={"folds": 2}, rows=slice(40 * k, 40 * k + 40))
        for k in range(2)
    ]
    whole = write_run(tmp_path / "whole", ["model.name=vit"])

    found = make_candidates(list(read_runs([*folds, whole], "test").values()))

    assert [(len(one.tables), one.folds, len(one.tables[0].labels)) for one in found] == [(1, 2, 80), (1, 1, 80)]


@pytest.mark.parametrize("same", [["logger=wandb", "evaluation.resamples=5"], ["resume=auto"], ["paths.cache_dir=x"]])
def test_what_changes_nothing_is_no_other_recipe(tmp_path, same):
    first, second = write_run(tmp_path / "a", ["seed=1"]), write_run(tmp_path / "b", ["seed=2", *same])

    assert len(grouped(first, second)) == 1


def test_other_code_is_another_recipe(tmp_path):
    first, second = write_run(tmp_path / "a", ["seed=1"]), write_run(tmp_path / "b", ["seed=2"], sha="def")

    assert grouped(first, second) == {"a": ("a",), "b": ("b",)}


def test_tables_from_elsewhere_stand_for_themselves(tmp_path):
    run = write_run(tmp_path / "runs" / "a")
    table = run / "predictions" / "test.csv"

    assert list(grouped(run, table)) == ["a", "a/predictions/test.csv"]
    assert leaked(table) is None
    assert run_facts(table) == {}


def test_each_run_once_and_two_at_least(tmp_path):
    run = write_run(tmp_path / "a")

    with pytest.raises(ConfigError, match="Found one run, given 2 times; expected at least two"):
        read_runs([run, run], "test")


def test_what_is_known_of_a_run(tmp_path):
    run = write_run(tmp_path / "a", leaks=7)

    assert leaked(run) == 7
    assert run_facts(run) == {
        "seed": "0", "commit": "abc", "brain-tumor": "0.1", "model": "cnn", "data": "folder", "data digest": "d" * 12,
    }  # fmt: skip
