"""Completion by the Tab key, in the shells that this machine has."""

import os
import shutil
import subprocess
import sys

import pytest

from brain_tumor.__main__ import main

LINES = {
    "brain-tumor ": [
        "init",
        "train",
        "evaluate",
        "audit",
        "export",
        "predict",
        "serve",
        "push",
        "compare",
        "data",
        "models",
        "dashboard",
        "doctor",
    ],
    "brain-tumor models res": [],
    "brain-tumor ev": ["evaluate"],
    "brain-tumor train model=resn": ["model=resnet18", "model=resnet50"],
    "brain-tumor train -m seed=0,1 optimizer=sgd optimizer.mom": ["optimizer.momentum="],
    "brain-tumor train split.folds": [],
    "brain-tumor evaluate class_m": ["class_map="],
    "brain-tumor compare RUN RUN eval_s": ["eval_split="],
    "brain-tumor data fetch chen": ["cheng"],
    "brain-tumor train model=nosuch optimizer=s": ["optimizer=sgd"],
    "brain-tumor train model=nosuch optimizer.l": [],
    "brain-tumor train 'model=(": [],
    "brain-tumor nosuch x": [],
}
"""Line before the cursor → its completions."""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """PATH with `brain-tumor` of this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "brain-tumor").write_text(f'#!/bin/sh\nexec {sys.executable} -m brain_tumor "$@"\n')
    (folder / "brain-tumor").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def run(command, program, **environment):
    """Run a command; check that it succeeds and prints nothing to stderr."""
    env = os.environ | {"PATH": program} | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_query_prints_the_completions_and_nothing_else(line, program):
    for shell in ("bash", "zsh", "fish"):
        assert run(["brain-tumor", "-sc", f"query={shell}"], program, COMP_LINE=line).split() == LINES[line]


BASH = """
eval "$(brain-tumor -sc install=bash)"
complete -p brain-tumor
COMP_LINE='{line}' COMP_POINT=0 COMP_WORDS=({line}) COMP_CWORD=2
hydra_bash_completion
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["brain-tumor", "brain-tumor train"])
def test_bash(command, program):
    """The script of either command completes the words after the verb, for no other program."""
    script = BASH.format(line="brain-tumor train model=resn").replace("brain-tumor -sc", f"{command} -sc")
    registered, *completions = run(["bash", "--norc", "-c", script], program).splitlines()
    assert registered.endswith("-F hydra_bash_completion brain-tumor")
    assert completions == ["model=resnet18", "model=resnet50"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish(program):
    script = "brain-tumor -sc install=fish | source; complete -C 'brain-tumor train model=resn'"
    completions = run(["fish", "--no-config", "-c", script], program).splitlines()
    assert completions == ["model=resnet18", "model=resnet50"]


def test_an_unknown_shell(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "-sc", "install=tcsh"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "No completion plugin for 'tcsh' found, available : bash fish zsh" in capsys.readouterr().err
