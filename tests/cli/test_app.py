"""What a user's mistakes end with: one sentence, exit code 2, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from factories import CENTRES, save
from PIL import Image

from brain_tumor.__main__ import main

FAST = ["data=folder", "model=small_cnn", "debug=fast", "data.image_size=32", "callbacks=[]"]


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Run `brain-tumor train` in this process: (exit code, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", f"hydra.run.dir={tmp_path / 'run'}", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code, capsys.readouterr().err

    return run


def refused(outcome, *words):
    code, err = outcome
    assert code == 2
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("brain-tumor train: ")]
    assert len(lines) == 1, err
    for word in words:
        assert word in lines[0]


def test_unknown_key(command):
    refused(command(*FAST, "data.root=x", "model.widht=3"), "There is no key model.widht")


def test_appended_key_that_nothing_reads(command):
    refused(command("+speed=3"), "Nothing reads the key speed")


def test_unknown_option(command):
    refused(command("model=resnet81"), "resnet81", "resnet18")


def test_value_left_out(command):
    refused(command("data=folder"), "data.root is not set")


def test_wrong_augmentation_argument(command, flat_folder):
    step = "+augmentation.steps.HorizontalFlip.probability=0.3"
    refused(command(*FAST, f"data.root={flat_folder}", step), "augmentation.steps.HorizontalFlip", "probability")


def test_wrong_argument_of_a_component(command, flat_folder):
    refused(command(*FAST, f"data.root={flat_folder}", "+optimizer.speed=3"), "optimizer", "speed")


def test_value_of_the_wrong_kind(command, flat_folder):
    refused(command(*FAST, f"data.root={flat_folder}", "data.imbalance=sometimes"), "data.imbalance=sometimes")


@pytest.mark.parametrize(
    "override", ["model.depth=x", "scheduler.warmup=x", "callbacks.ema.decay=x", "optimizer.weight_decay=x"]
)
def test_a_word_where_a_number_belongs(command, flat_folder, override):
    chosen = [*FAST, "callbacks=[ema]", f"data.root={flat_folder}", override]
    refused(command(*chosen), f"Invalid {override}: expected a number")


def test_missing_weights_file(command, flat_folder):
    model = ["model=resnet18", "model.weights=/no/such.safetensors"]
    refused(command(*FAST, f"data.root={flat_folder}", *model), "model.weights=/no/such.safetensors does not exist")


def test_missing_folder(command):
    refused(command(*FAST, "data.root=/no/such/folder"), "data.root=/no/such/folder is missing")


def test_folder_without_images(command, tmp_path):
    (tmp_path / "scans").mkdir()
    refused(command(*FAST, f"data.root={tmp_path / 'scans'}"), "holds no class folders with images")


def scans(tmp_path: Path, labels=tuple(CENTRES), count=4) -> Path:
    for label in labels:
        for number in range(count):
            save(tmp_path / "scans" / label / f"{number}.png", label, number)
    return tmp_path / "scans"


def test_empty_class_folder(command, tmp_path):
    root = scans(tmp_path)
    (root / "unknown").mkdir()
    refused(command(*FAST, f"data.root={root}"), f"The class folder {root / 'unknown'} holds no images")


def test_corrupt_image(command, tmp_path):
    root = scans(tmp_path)
    for number in (1, 2):
        (root / "glioma" / f"bad{number}.png").write_bytes((root / "glioma" / "1.png").read_bytes()[:300])
    outcome = command(*FAST, f"data.root={root}")
    refused(outcome, "2 of 18 images cannot be read", f"{root}/glioma/bad1.png", "data.on_error=skip")


def test_one_class_only(command, tmp_path):
    refused(command(*FAST, f"data.root={scans(tmp_path, ['glioma'])}"), "Found only one class (glioma)")


def test_test_class_unseen_in_training(command, tmp_path):
    for part, labels in {"Training": ["glioma", "no_tumor"], "Testing": ["glioma", "no_tumor", "pituitary"]}.items():
        for label in labels:
            for number in range(6):
                save(tmp_path / "scans" / part / label / f"{number}.png", label, number + 10 * (part == "Testing"))
    refused(
        command(*FAST, f"data.root={tmp_path / 'scans'}"),
        "The test split has classes that are missing in train: pituitary",
    )


def test_too_few_of_a_class(command, tmp_path):
    root = scans(tmp_path)
    save(root / "rare" / "1.png", "glioma", 99)
    refused(command(*FAST, f"data.root={root}"), "Class 'rare' has 1 separate groups (patients or images)")


def test_malformed_manifest(command, tmp_path):
    csv = tmp_path / "samples.csv"
    csv.write_text("file,class\na.png,glioma\n")
    refused(command("data=manifest", f"data.manifest={csv}"), "has no column path and no column label")


def test_run_directory_in_use(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"status": "finished"}')
    refused(command(), "holds a finished run", "overwrite=true")


def test_nothing_validated_in_time(command, flat_folder):
    outcome = command(*FAST, f"data.root={flat_folder}", "trainer.max_time=00:00:00:00")
    refused(outcome, "Training ended before its first validation")


def test_monitored_metric_that_does_not_exist(command, flat_folder):
    refused(command(*FAST, f"data.root={flat_folder}", "monitor.metric=val/f2"), "val/f2")


@pytest.mark.slow
def test_a_real_process_prints_no_traceback(tmp_path):
    image = Image.new("L", (8, 8))
    (tmp_path / "scans" / "glioma").mkdir(parents=True)
    image.save(tmp_path / "scans" / "glioma" / "1.png")
    arguments = ["train", "data=folder", f"data.root={tmp_path / 'scans'}", f"hydra.run.dir={tmp_path / 'run'}"]

    done = subprocess.run(
        [sys.executable, "-m", "brain_tumor", *arguments], capture_output=True, text=True, timeout=600, cwd=tmp_path
    )

    refused((done.returncode, done.stderr), "only one class")
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_the_log_of_a_run_holds_its_epochs_and_results(flat_folder, tmp_path):
    """Each line once, and none that holds a Python object."""
    run = tmp_path / "run"
    options = [f"data.root={flat_folder}", "evaluation.resamples=20", "callbacks=[progress]", f"hydra.run.dir={run}"]
    done = subprocess.run(
        [sys.executable, "-m", "brain_tumor", "train", *FAST[:-1], *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )

    written = (run / "train.log").read_text(encoding="utf-8")
    for text in (written, done.stdout):
        for words in ("48 images of 4 classes: ", "Epoch 1 of 1: train/loss ", "f1_macro  ", "Note: ", "report.html"):
            assert words in text
        assert text.count("Epoch 1 of 1") == 1
        assert "{" not in text
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "3"], ["There is no flag --epochs.", "epochs=VALUE", "brain-tumor train --help"]),
        (["--multrun", "seed=0,1"], ["Did you mean --multirun?"]),
    ],
)
def test_flags_that_hydra_does_not_have(command, flags, words):
    refused(command(*flags), *words)


def test_a_sweep_keeps_out_of_the_directory_of_a_run(command, tmp_path):
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "run.json").write_text("{}")

    refused(command("--multirun", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'single'}"), "holds a single run")
    assert [path.name for path in (tmp_path / "single").iterdir()] == ["run.json"]
