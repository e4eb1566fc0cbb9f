"""Grid sweeps: jobs that fail in every way, and Hydra's syntax."""

import json
import sys

import pytest
from factories import CENTRES, save
from sweep_commands import TINY, finish, kill_job, read_table, start, sweep

from brain_tumor.__main__ import main
from brain_tumor.sweeps import forked_launcher as fork
from brain_tumor.sweeps import plugins
from brain_tumor.train import train

SHORT = "trainer.max_epochs=1"


@pytest.fixture(scope="module")
def failing(flat_folder, tmp_path_factory):
    """Six jobs: three finish, one raises an error, one gets a NaN loss, one is killed while it trains."""
    folder = tmp_path_factory.mktemp("sweep")
    process = start(flat_folder, folder, "trainer.max_epochs=8", "optimizer.lr=1e-3,-1,2e-3,1e30,4e-3,3e-3")
    kill_job(folder / "4", process)
    code, out = finish(process)
    return folder, code, out


@pytest.mark.slow
class TestJobsThatFail:
    def test_the_others_finish(self, failing):
        folder, code, _ = failing
        table = read_table(folder)
        assert table["status"].tolist() == ["finished", "failed", "finished", "failed", "failed", "finished"]
        assert code == 1
        assert json.loads((folder / "sweep.json").read_text())["status"] == "failed"

    def test_each_has_its_reason(self, failing):
        reasons = read_table(failing[0])["reason"]
        assert reasons[1].startswith("Invalid optimizer.lr=-1")
        assert reasons[3].startswith("The validation loss became nan")
        assert reasons[4] == "killed by signal 9 (SIGKILL)"
        assert (reasons[[0, 2, 5]] == "").all()

    def test_their_records_have_the_reasons(self, failing):
        folder = failing[0]
        for number, words in {1: "optimizer", 3: "nan", 4: "SIGKILL"}.items():
            record = json.loads((folder / str(number) / "run.json").read_text())
            assert record["status"] == "failed"
            assert words in record["reason"]

    def test_the_terminal_shows_sentences_and_the_log_the_traceback(self, failing):
        folder, _, out = failing
        assert "Traceback" not in out
        assert "brain-tumor train: 3 of 6 jobs failed" in out
        assert "#4 failed: killed by signal 9 (SIGKILL)" in out
        assert "Traceback" in (folder / "1" / "train.log").read_text()
        assert "Traceback" not in (folder / "0" / "train.log").read_text()

    def test_the_summary_has_the_values_of_the_runs(self, failing):
        folder = failing[0]
        table = read_table(folder)
        assert table["optimizer.lr"].astype(float).tolist() == [1e-3, -1, 2e-3, 1e30, 4e-3, 3e-3]
        for number in (0, 2, 5):
            record = json.loads((folder / str(number) / "run.json").read_text())
            results = json.loads((folder / str(number) / "results.json").read_text())
            assert float(table["monitored"][number]) == pytest.approx(record["training"]["best"])
            assert float(table["test/f1_macro"][number]) == pytest.approx(results["test"]["f1_macro"]["value"])
        page = (folder / "sweep.html").read_text()
        assert "3 of 6" in page
        assert "Research use only; not a medical device." in page
        assert "killed by signal 9 (SIGKILL)" in page

    def test_each_job_has_its_own_log(self, failing):
        folder = failing[0]
        for number in range(6):
            assert (folder / str(number) / "train.log").is_file()
        assert (folder / "0" / "train.log").read_text().count("Epoch 8 of 8") == 1


@pytest.fixture
def experiments(tmp_path):
    """A folder of configurations with two experiments of a user."""
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    for name, rate in {"own_slow": 1e-4, "own_quick": 1e-2}.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\noptimizer:\n  lr: {rate}\n")
    return folder.parent


@pytest.mark.long
def test_ranges_lists_and_globs(flat_folder, tmp_path, experiments):
    options = ["experiment=glob(own_*)", "seed=range(2)", "scheduler=constant,cosine", SHORT, "debug=fast"]
    code, out = sweep(
        flat_folder, tmp_path / "sweep", f"--config-dir={experiments}", *options, "hydra.launcher.n_jobs=2"
    )

    assert code == 0, out
    table = read_table(tmp_path / "sweep")
    combinations = set(zip(table["experiment"], table["seed"], table["scheduler"], strict=True))
    assert combinations == {
        (e, s, c) for e in ("own_slow", "own_quick") for s in (0, 1) for c in ("constant", "cosine")
    }
    assert "Epoch 1 of 1" in (tmp_path / "sweep" / "0" / "console.txt").read_text()
    assert all(f"#{number} (job {number + 1} of 8): " in out for number in range(8))
    assert "Epoch 1 of 1" not in out  # jobs that run at the same time write to files


class TestMistakes:
    """Mistakes that stop a sweep before any job runs: exit code 2."""

    def test_an_unknown_option(self, flat_folder, tmp_path):
        code, out = sweep(flat_folder, tmp_path, "model=small_cnn,resnet81", SHORT)
        assert (code, "resnet81" in out, "Traceback" in out) == (2, True, False)
        assert not (tmp_path / "0").exists()

    def test_a_glob_that_matches_nothing(self, flat_folder, tmp_path):
        code, out = sweep(flat_folder, tmp_path, "experiment=glob(no_such_*)", SHORT)
        assert (code, "experiment=glob(no_such_*) matches nothing" in out) == (2, True)

    def test_a_key_that_only_some_options_have(self, tmp_path, monkeypatch, capsys):
        arguments = ["-m", "model=resnet18,small_cnn", "model.weights=DIR", f"hydra.sweep.dir={tmp_path}"]
        monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert "Job 1 (model=small_cnn model.weights=DIR" in error
        assert "There is no key model.weights." in error
        assert not (tmp_path / "0").exists()

    def test_a_launcher_that_is_not_installed(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(plugins, "_is_installed", lambda _: False)
        monkeypatch.setattr(
            sys, "argv", ["brain-tumor", "train", "-m", "launcher=joblib", f"hydra.sweep.dir={tmp_path}"]
        )
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        assert capsys.readouterr().err == (
            "brain-tumor train: launcher=joblib needs a package that is not installed: "
            "pip install 'brain-tumor[joblib]'\n"
        )


@pytest.mark.slow
def test_cross_validation_has_as_many_jobs_as_folds(flat_folder, tmp_path, monkeypatch, capsys):
    """`hparams_search=kfold` follows split.folds; that the data are missing ends each job before it trains."""
    options = [
        "hparams_search=kfold",
        "split.folds=6",
        "data=folder",
        "data.root=/no/such",
        f"hydra.sweep.dir={tmp_path}",
    ]
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", *options])
    with pytest.raises(SystemExit):
        main()
    capsys.readouterr()

    assert read_table(tmp_path)["split.fold"].tolist() == list(range(6))


@pytest.mark.long
def test_a_job_is_the_same_alone_or_in_a_sweep(flat_folder, tmp_path):
    """Forked processes share the state of their parent, which must not change results."""
    sweep(flat_folder, tmp_path / "sweep", "trainer.max_epochs=2", "seed=1,0")
    alone = train([*TINY, f"data.root={flat_folder}", "trainer.max_epochs=2"], tmp_path / "alone")

    assert json.loads((tmp_path / "sweep" / "1" / "results.json").read_text())["test"] == alone.results["test"]


@pytest.mark.long
def test_hydras_basic_launcher(tmp_path):
    """A failed job does not stop the others in the same process either."""
    for label in CENTRES:
        for number in range(8):
            save(tmp_path / "scans" / label / f"{number}.png", label, number)
    options = ["hydra/launcher=basic", "optimizer.lr=-1,1e-3", SHORT, "debug=fast"]
    code, out = sweep(tmp_path / "scans", tmp_path / "sweep", *options)

    assert code == 1
    assert read_table(tmp_path / "sweep")["status"].tolist() == ["failed", "finished"], out
    assert "Traceback" not in out


@pytest.mark.slow
def test_one_folder_of_weights_for_several_models(shared, flat_folder, tmp_path, monkeypatch):
    options = [text for text in TINY if not text.startswith("model.")]
    models = ["model=resnet18,tf_efficientnet_lite0", f"model.weights={shared / 'weights'}", "debug=fast"]
    arguments = ["-m", *options, *models, f"data.root={flat_folder}", f"hydra.sweep.dir={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", *arguments])
    main()

    assert read_table(tmp_path)["status"].tolist() == ["finished"] * 2
    assert "model.weights" not in read_table(tmp_path)
    assert read_table(tmp_path)["model"].tolist() == ["resnet18", "tf_efficientnet_lite0"]


@pytest.mark.slow
def test_a_finished_job_is_not_changed_by_resuming_with_other_keys(flat_folder, tmp_path):
    assert sweep(flat_folder, tmp_path, SHORT, "seed=0", "debug=fast")[0] == 0
    before = (tmp_path / "0" / "results.json").read_bytes()

    code, out = sweep(flat_folder, tmp_path, "trainer.max_epochs=3", "seed=0", "debug=fast", "resume=auto")

    assert code == 1
    assert "#0 is finished and stays as it was" in out
    assert "trainer.max_epochs=3 (was 1) would change" in out
    assert (tmp_path / "0" / "results.json").read_bytes() == before


@pytest.mark.slow
def test_without_forking_the_jobs_run_in_this_process(flat_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fork, "reason_not_to_fork", lambda: "Forking is not safe here")
    options = [*TINY, f"data.root={flat_folder}", f"hydra.sweep.dir={tmp_path}", "optimizer.lr=-1,1e-3", "debug=fast"]
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", "-m", *options])
    with pytest.raises(SystemExit) as stop:
        main()

    assert stop.value.code == 1
    assert read_table(tmp_path)["status"].tolist() == ["failed", "finished"]
    assert "Forking is not safe here: the jobs run one after another" in capsys.readouterr().out


def test_other_verbs_can_be_swept(flat_folder, tmp_path, monkeypatch, capsys):
    options = [f"data.root={flat_folder},/no/such", "data=folder", "data.image_size=32", f"hydra.sweep.dir={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "audit", "-m", *options])
    with pytest.raises(SystemExit) as stop:
        main()

    assert stop.value.code == 1
    assert read_table(tmp_path)["status"].tolist() == ["finished", "failed"]
    assert "data.root=/no/such is missing" in read_table(tmp_path)["reason"][1]
    assert "brain-tumor audit: 1 of 2 jobs failed" in capsys.readouterr().err
