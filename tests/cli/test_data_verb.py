import dataclasses
import signal
import subprocess
import sys

import pytest
from data.public.layouts import write
from factories import run_verb

from brain_tumor.__main__ import main as brain_tumor
from brain_tumor.cli import data as verb
from brain_tumor.data.public import fetch
from brain_tumor.data.public.registry import SETS, Release

SMALL = {"nickparvar": (2, 1), "cheng": (2, 0), "preetviradiya": (2, 0)}


@pytest.fixture
def published(monkeypatch):
    """Registry in which small generated sets are the published ones."""
    from brain_tumor.data.public import compare_with_published as checking
    from brain_tumor.data.public import registry

    sets = dict(SETS)
    for name, (train, test) in SMALL.items():
        counts = {"train": train, "test": test} if SETS[name].split_folders else {"": train}
        release = Release("", {split: dict.fromkeys(SETS[name].classes, images) for split, images in counts.items()})
        sets[name] = dataclasses.replace(SETS[name], releases=(release,))
    monkeypatch.setattr(registry, "SETS", sets)
    monkeypatch.setattr(checking, "recognise", lambda root: sets.get(root.name))
    return sets


def test_list_imports_no_torch():
    code = """
import signal
import sys
sys.argv = ["brain-tumor", "data", "list"]
from brain_tumor.__main__ import main
main()
print("torch" in sys.modules, "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)

    assert all(name in done.stdout for name in SETS)
    assert done.stdout.endswith("False False\n")


def test_list_shows_all_facts_of_a_set(capsys):
    code, out, _ = run_verb(verb, capsys, "list", "cheng", "PMRAM")

    assert code == 0
    for text in (
        "licence CC BY 4.0",
        "10.6084/m9.figshare.1512427",
        "MR040240",
        "512Glioma",
        "data=pmram data.root=DIR",
    ):
        assert text in out
    assert max(map(len, out.splitlines())) <= 120
    assert run_verb(verb, capsys, "list", "--long")[1].count("\n  cite ") == 8


def test_check_recognises_the_set(published, tmp_path, capsys):
    code, out, err = run_verb(verb, capsys, "check", str(write("cheng", tmp_path / "cheng", train=2)))

    assert (code, err) == (0, "")
    assert "is cheng: brain tumor dataset" in out
    assert "patients known: 3" in out
    assert "cite: Cheng J." in out


def test_check_reports_differences(published, tmp_path, capsys):
    root = write("nickparvar", tmp_path / "nickparvar", train=3, test=1)
    next((root / "Testing" / "glioma").iterdir()).rename(root / "Testing" / "glioma" / "scan.exe")
    (root / "Testing" / "glioma" / "other.png").write_bytes(b"")

    code, out, err = run_verb(verb, capsys, "check", str(root))

    assert code == 2
    assert "1 extra" in out
    assert "1 files are no images by their name, first Testing/glioma/scan.exe" in out
    assert err.endswith(
        "0 images are missing and 4 are extra; fetch it again, or use it as it is and report the difference.\n"
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "{}"], "is not recognised as a public set: give its name with --set"),
        (
            ["check", "{}", "--set", "navoneel"],
            "does not have the layout of navoneel: expected yes/ and no/; it contains nothing",
        ),
        (["check", "{}/absent"], "absent is missing"),
        (["check", "{}", "--set", "nothing"], "no public set 'nothing'"),
        (["fetch", "nothing"], "no public set 'nothing'"),
        (["list", "nothing"], "no public set 'nothing'"),
    ],
)
def test_errors(arguments, sentence, tmp_path, capsys):
    code, _, err = run_verb(verb, capsys, *(argument.format(tmp_path) for argument in arguments))

    assert code == 2
    assert err.startswith(f"brain-tumor data {arguments[0]}: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_fetch_checks_the_set_and_prints_the_training_command(published, tmp_path, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr(
        fetch, "fetch", lambda dataset, folder: calls.append(folder) or write(dataset.name, folder, train=2)
    )
    monkeypatch.chdir(tmp_path)

    code, out, err = run_verb(verb, capsys, "fetch", "preetviradiya")

    assert (code, calls) == (0, [tmp_path / "data" / "preetviradiya"])
    assert "licence: not verified" in err
    assert out.endswith(f"\nbrain-tumor train data=preetviradiya data.root={tmp_path}/data/preetviradiya\n")

    code, out, _ = run_verb(verb, capsys, "fetch", "preetviradiya")
    assert (code, len(calls)) == (0, 1)
    assert out.startswith("data/preetviradiya already contains preetviradiya; nothing to do.")


def test_folders_with_spaces_are_quoted(published, tmp_path, capsys):
    write("preetviradiya", tmp_path / "my set", train=2)

    assert (
        f"data.root='\"{tmp_path}/my set\"'"
        in run_verb(verb, capsys, "fetch", "preetviradiya", str(tmp_path / "my set"))[1]
    )


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C (SIGINT)"), (signal.SIGTERM, "SIGTERM")])
def test_an_interrupted_download_can_be_repeated(number, name, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fetch, "fetch", lambda *_: signal.raise_signal(number))

    code, _, err = run_verb(verb, capsys, "fetch", "cheng", str(tmp_path))
    assert code == 128 + number
    assert err.splitlines()[-1] == f"brain-tumor data fetch: Stopped by {name}; run it again to continue."


def test_both_entry_points(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "data", "--help"])
    with pytest.raises(SystemExit) as stop:
        brain_tumor()
    assert stop.value.code == 0
    assert "usage: brain-tumor data" in capsys.readouterr().out

    done = subprocess.run(
        [sys.executable, "-m", "brain_tumor", "data", "list"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0
    assert "nickparvar" in done.stdout


@pytest.mark.shared
@pytest.mark.parametrize("name", ["nickparvar", "cheng", "preetviradiya"])
def test_real_sets_are_as_published(name, shared, capsys):
    code, out, _ = run_verb(verb, capsys, "check", str(shared / "data" / name))

    assert code == 0
    assert f"is {name}" in out
