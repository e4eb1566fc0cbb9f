"""The summary of a sweep, computed from its run directories."""

import itertools
import re
import statistics
import sys

import pytest
from sweeps.sweep_files import write_sweep

from brain_tumor.run_dir.atomic import write_json
from brain_tumor.sweeps.__main__ import main
from brain_tumor.sweeps.importance import key_importance
from brain_tumor.sweeps.page import write_sweep_page
from brain_tumor.sweeps.table import best_job, best_setting, read_rows, summarise_settings, swept_keys, tuning_note


@pytest.fixture
def two_models(tmp_path):
    """Two models with three seeds each; one job of the better model failed and one is waiting."""
    table = [
        (["model=small_cnn", "seed=0"], 0.80, 0.95),
        (["model=small_cnn", "seed=1"], 0.90, 0.70),
        (["model=small_cnn", "seed=2"], 0.70, 0.60),
        (["model=resnet18", "seed=0"], 0.95, 0.50),
        (["model=resnet18", "seed=1"], "failed", "killed by signal 9 (SIGKILL)\nsecond line"),
        (["model=resnet18", "seed=2"], "waiting", ""),
    ]
    plan = write_sweep(tmp_path, table, swept=["model", "seed"])
    return tmp_path, plan, read_rows(tmp_path, plan)


def test_one_row_per_job(two_models):
    _, plan, rows = two_models
    assert swept_keys(plan) == ["model", "seed"]
    assert rows["status"].tolist() == ["finished"] * 4 + ["failed", "waiting"]
    assert rows["reason"][4] == "killed by signal 9 (SIGKILL)"
    assert rows.loc[3, ["model", "seed", "monitored", "test/f1_macro", "seconds"]].tolist() == [
        "resnet18",
        "0",
        0.95,
        0.5,
        3.5,
    ]
    assert "test/auroc" not in rows  # no job has it


def test_the_monitored_metric_has_its_interval_and_baseline(two_models):
    folder, plan, rows = two_models
    assert not {"ci_low", "ci_high", "baseline"} & set(rows)  # no job has them

    write_json(
        {
            "val": {"f1_macro": {"value": 0.8, "ci_low": 0.7, "ci_high": 0.9}},
            "test": {"f1_macro": {"value": 0.95, "ci_low": 0.1, "ci_high": 0.2}},
            "baseline": {"val": {"f1_macro": 0.6}, "test": {"f1_macro": 0.5}},
        },
        folder / "0" / "results.json",
    )
    rows = read_rows(folder, plan)

    assert rows.loc[0, ["ci_low", "ci_high", "baseline", "test/baseline f1_macro"]].tolist() == [0.7, 0.9, 0.6, 0.5]
    assert rows.loc[1:, ["ci_low", "ci_high", "baseline"]].isna().all(axis=None)


def test_keys_that_differ_count_as_swept(tmp_path):
    plan = write_sweep(tmp_path, [(["a=1"], 0.5, 0.5), (["a=2", "+b=1"], 0.6, 0.6)])
    assert swept_keys(plan) == ["a", "b"]


@pytest.mark.parametrize(("values", "noted"), [(["True", "true"], True), (["True", "False"], False), ([], False)])
def test_a_sweep_without_the_test_set_says_how_to_go_on(tmp_path, monkeypatch, capsys, values, noted):
    jobs = [([f"seed={seed}", f"split.tuning={value}"], 0.5, 0.5) for seed, value in enumerate(values)]
    plan = write_sweep(tmp_path, jobs or [(["seed=0"], 0.5, 0.5)])

    monkeypatch.setattr(sys, "argv", ["sweeps", str(tmp_path)])
    main()

    assert ("without split.tuning=true" in " ".join(capsys.readouterr().out.split())) == noted
    assert ("without split.tuning=true" in (tmp_path / "sweep.html").read_text()) == noted
    assert (tuning_note(plan) is not None) == noted


def test_jobs_that_differ_in_the_seed_are_one_setting(two_models):
    _, plan, rows = two_models
    table = summarise_settings(rows, plan).set_index("model")
    assert table.loc["small_cnn", "monitored"] == pytest.approx(0.8)
    assert table.loc["small_cnn", "monitored sd"] == pytest.approx(statistics.stdev([0.8, 0.9, 0.7]))
    assert table.loc["small_cnn", "test/f1_macro"] == pytest.approx(0.75)
    assert table.loc["resnet18", ["jobs", "n"]].tolist() == [3, 1]
    assert table["monitored sd"].isna().loc["resnet18"]


def test_the_best_is_chosen_on_validation(two_models):
    _, plan, rows = two_models
    best = best_job(rows, plan)
    assert best.row["number"] == 3  # though its test is the worst
    assert best.command == """brain-tumor train 'data.root=it'"'"'s here' model=resnet18 seed=0"""
    setting = best_setting(rows, summarise_settings(rows, plan), plan)
    assert setting.row["model"] == "small_cnn"  # three of its jobs finished, and only one of the other setting
    assert setting.command.endswith("model=small_cnn seed=0,1,2")
    assert "--multirun" in setting.command


def test_with_mode_min_the_lowest_is_best(tmp_path):
    plan = write_sweep(tmp_path, [(["a=1"], 0.5, 0.5), (["a=2"], 0.4, 0.6)], mode="min")
    rows = read_rows(tmp_path, plan)
    assert best_job(rows, plan).row["number"] == 1
    assert summarise_settings(rows, plan)["a"].tolist() == ["2", "1"]


@pytest.mark.parametrize(
    ("overrides", "command"),
    [
        (["hparams_search=optuna", "a=1"], "brain-tumor train hparams_search=optuna a=1 hydra.mode=RUN"),
        (["launcher=joblib", "a=1"], "brain-tumor train a=1"),
    ],
)
def test_the_command_of_the_best_job_is_one_run(overrides, command, tmp_path):
    plan = write_sweep(tmp_path, [(overrides, 0.5, 0.5)], fixed=())
    assert best_job(read_rows(tmp_path, plan), plan).command == command


class TestImportance:
    def importance_of(self, folder, score, seeds=2):
        grid = itertools.product((1e-4, 1e-3, 1e-2), ("cnn", "vit"), (0, 1), range(seeds))
        table = [
            ([f"lr={lr}", f"model={model}", f"nothing={n}", f"seed={s}"], score(lr, model, s), 0.5)
            for lr, model, n, s in grid
        ]
        plan = write_sweep(folder, table)
        return key_importance(read_rows(folder, plan), plan)

    def test_what_matters_comes_first(self, tmp_path):
        def score(lr, model, seed):
            return 0.5 + 40 * lr + 0.1 * (model == "vit") + 0.001 * seed

        importance = self.importance_of(tmp_path, score)
        assert list(importance.shares) == ["lr", "model", "nothing"]
        assert importance.shares["lr"] > 0.3
        assert abs(importance.shares["nothing"]) < 0.05
        assert 0.5 < importance.r2 <= 1

    def test_random_scores_give_no_importance(self, tmp_path):
        """All seeds of a setting are left out together, else the forest would have been fitted on its scores."""
        scores = iter([0.3, 0.9, 0.1, 0.7, 0.2, 0.8, 0.35, 0.5, 0.95, 0.15, 0.65, 0.4] * 10)
        importance = self.importance_of(tmp_path, lambda *_: next(scores), seeds=1)
        assert importance.shares == {}
        assert "do not explain" in importance.reason

    def test_too_few_jobs(self, tmp_path):
        plan = write_sweep(tmp_path, [([f"a={n}", f"b={n % 2}"], n / 9, 0.5) for n in range(5)])
        importance = key_importance(read_rows(tmp_path, plan), plan)
        assert importance.reason == "5 different settings finished, and 8 are needed"

    def test_a_sweep_of_seeds_alone(self, tmp_path):
        plan = write_sweep(tmp_path, [([f"seed={n}"], n / 20, 0.5) for n in range(12)])
        assert "fewer than two" in key_importance(read_rows(tmp_path, plan), plan).reason


class TestPage:
    def test_it_needs_no_network_and_has_the_notice(self, two_models):
        folder, plan, rows = two_models
        write_sweep_page(folder, plan, rows)
        page = (folder / "sweep.html").read_text()
        assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page)
        assert page.count("Research use only; not a medical device.") == 2
        assert "validation alone" in page
        assert "No importance is shown: fewer than two settings were varied." in page
        assert "± 0.100" in page

    def test_it_tells_what_varied_and_what_did_not(self, tmp_path):
        models = ["hf-hub:timm/resnet18.a1_in1k", "hf-hub:timm/vit_tiny.a1_in1k"]
        table = [
            ([f"model.name={model}", f"optimizer.lr={n / 1000}"], n / 10, 0.5) for n in range(8) for model in models
        ]
        plan = write_sweep(tmp_path, table, swept=["model.name", "optimizer.lr", "trainer"], fixed=("trainer=cpu",))
        write_sweep_page(tmp_path, plan, read_rows(tmp_path, plan))
        page = (tmp_path / "sweep.html").read_text()
        assert "Job #14 is the best of 16: macro-F1 (validation) 0.700, with model.name resnet18, lr 0.007." in page
        assert "<dd>resnet18, vit_tiny</dd>" in page
        assert "<dd>8 values from 0 to 0.007</dd>" in page
        assert "The same in all jobs: trainer=cpu." in page
        assert ">trainer</th>" not in page

    def test_a_sweep_without_a_finished_job(self, tmp_path):
        plan = write_sweep(tmp_path, [(["a=<b>1</b>"], "failed", "<script>"), (["a=2"], "waiting", "")])
        write_sweep_page(tmp_path, plan, read_rows(tmp_path, plan))
        page = (tmp_path / "sweep.html").read_text()
        assert "0 of 2" in page
        assert "<script>" not in page
        assert "<b>1</b>" not in page

    def test_one_job(self, tmp_path):
        plan = write_sweep(tmp_path, [([], 0.5, 0.4)])
        write_sweep_page(tmp_path, plan, read_rows(tmp_path, plan))
        assert "1 of 1" in (tmp_path / "sweep.html").read_text()


class TestCommand:
    """`python -m brain_tumor.sweeps DIR`."""

    def test_it_reads_only_the_run_directories(self, two_models, monkeypatch, capsys):
        folder, _, _ = two_models
        monkeypatch.setattr(sys, "argv", ["sweeps", str(folder)])
        main()
        assert "6 jobs: 4 finished, 1 failed, 1 waiting" in capsys.readouterr().out
        assert (folder / "sweep.csv").is_file()
        assert (folder / "sweep.html").is_file()

    def test_a_folder_that_holds_no_sweep(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["sweeps", str(tmp_path)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        assert "holds no readable sweep.json" in capsys.readouterr().err
