from pathlib import Path

import pytest

from brain_tumor.__main__ import VERBS
from brain_tumor.pipelines.next_commands import show_next_commands


@pytest.mark.parametrize(("generated", "third"), [(False, "compare runs/mine OTHER_RUN"), (True, "init DIR")])
def test_three_commands_that_can_be_copied(tmp_path, monkeypatch, capsys, generated, third):
    monkeypatch.chdir(tmp_path)

    show_next_commands(Path.cwd() / "runs" / "mine", generated=generated)

    title, *lines = capsys.readouterr().out.splitlines()
    commands = [line.split("#")[0].split() for line in lines]
    assert title == "Next:"
    assert all(program == "brain-tumor" and verb in VERBS for program, verb, *_ in commands)
    assert [" ".join(words) for _, *words in commands] == [
        "predict bundle=runs/mine SCANS report=answers.html",
        "serve bundle=runs/mine",
        third,
    ]


def test_a_run_elsewhere_is_named_whole_and_quoted(tmp_path, capsys):
    show_next_commands(tmp_path / "my runs")

    assert f"serve bundle='{tmp_path / 'my runs'}'" in capsys.readouterr().out
