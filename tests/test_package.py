"""The package as a whole: how it starts, and what it promises of itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from brain_tumor import __version__
from brain_tumor.__main__ import VERBS, main

ROOT = Path(__file__).parents[1]
ALLOWED_AT_TOP = {"pyproject.toml", "conf", "brain_tumor", "tests", "notebooks", "Makefile", "README.md", "LICENSE"}


def python(*arguments):
    """What a run of Python prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=600, check=True)
    return done.stdout


def test_import_loads_nothing_else():
    """An import is instant where it loads nothing: the rest is loaded when it is used."""
    code = """
import sys
before = set(sys.modules)
import brain_tumor
print(*{name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""

    assert python("-c", code).split() == ["brain_tumor"]


def test_help_names_what_there_is():
    text = python("-m", "brain_tumor", "--help")

    assert "brain-tumor train data=folder data.root=DIR" in text
    assert "not a medical device" in text
    assert all(verb in text for verb in VERBS)


@pytest.mark.parametrize(
    ("verb", "example", "choices"),
    [
        ("train", "data=folder data.root=DIR", "split: auto, file, grouped"),
        ("audit", "data=folder data.root=DIR", "split: auto, file, grouped"),
        ("evaluate", "run=RUN data=folder data.root=DIR", "overlap=refuse"),
        ("export", "bundle=RUN precision=int8", "precision=fp32"),
        ("predict", "bundle=RUN input=FOLDER", "data.slices=every:1"),
        ("serve", "bundle=RUN port=9000", "limits.files=1024"),
        ("push", "bundle=RUN repo=USER/NAME", "private=true"),
        ("compare", "RUN champion=RUN", "metric=f1_macro"),
    ],
)
def test_help_of_a_verb_does_not_import_torch(verb, example, choices):
    code = f"""
import sys
sys.argv = ["brain-tumor", "{verb}", "--help"]
from brain_tumor.__main__ import main
try:
    main()
finally:
    print("torch" in sys.modules)
"""
    text = python("-c", code)

    assert text.endswith("False\n")
    assert f"brain-tumor {verb} {example}" in text
    assert choices in text


def test_help_into_a_pipe_that_closes():
    command = f"set -o pipefail; {sys.executable} -m brain_tumor train --help | head -n 1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600)  # noqa: S607

    assert done.stdout.startswith("brain-tumor train")
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["help"], ["-h"]])
def test_help_in_all_its_spellings(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", *arguments])
    main()
    assert "usage: brain-tumor" in capsys.readouterr().out


def test_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "--version"])
    main()
    assert capsys.readouterr().out == __version__ + "\n"


def test_unknown_verb(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "trian"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert (
        capsys.readouterr().err == "brain-tumor: there is no verb 'trian'; "
        "verbs are init, train, evaluate, audit, export, predict, serve, push, compare, data, models, dashboard, "
        "doctor. Did you mean train?\n"
    )


def test_files_stay_small():
    for folder in ("brain_tumor", "tests", "conf", "notebooks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".j2"):
                assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_top_level_is_as_agreed():
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)  # noqa: S607
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {name.partition("/")[0] for name in tracked.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= ALLOWED_AT_TOP
