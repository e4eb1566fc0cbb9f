"""The progress bar: one line of 80 columns that counts epochs from 1, in terminals alone."""

import io
import re
from types import SimpleNamespace

import pytest
import rich
from factories import SHORT

from brain_tumor.callbacks.progress import EpochBar
from brain_tumor.train import train

WITH_BAR = [*(each for each in SHORT if each != "callbacks=[]"), "monitor.metric=val/balanced_accuracy"]


@pytest.fixture
def screen(monkeypatch):
    """What a terminal of 80 columns shows."""
    console = rich.console.Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr(rich, "_console", console)
    monkeypatch.setattr("lightning.pytorch.callbacks.progress.rich_progress.reconfigure", lambda: None)
    return console


@pytest.mark.slow
def test_a_line_counts_the_epochs_and_tells_the_time_left(flat_folder, tmp_path, screen):
    train(["data=folder", f"data.root={flat_folder}", *WITH_BAR], tmp_path)

    shown = screen.file.getvalue()
    lines = [line for part in shown.split("\r") for line in part.splitlines() if "Epoch " in line]
    assert {re.search(r"Epoch \d+ of \d+", line)[0] for line in lines} == {f"Epoch {n} of 3" for n in (1, 2, 3)}
    assert any("left" in line and "balanced_accuracy: " in line for line in lines)
    assert "Epoch 0" not in shown


@pytest.mark.slow
def test_without_a_terminal_there_is_none(flat_folder, tmp_path, capsys):
    train(["data=folder", f"data.root={flat_folder}", *WITH_BAR, "trainer.max_epochs=1"], tmp_path)

    assert "━ " not in capsys.readouterr().out.split("95 %")[0]


@pytest.mark.parametrize(("epoch", "share", "seconds"), [(0, 0.5, 70), (3, 1.0, 0), (0, 0.0, None)])
def test_the_time_left_is_that_of_all_epochs(epoch, share, seconds, monkeypatch):
    bar = EpochBar()
    bar._trainer = SimpleNamespace(max_epochs=4, current_epoch=epoch)
    monkeypatch.setattr("brain_tumor.callbacks.progress.time.monotonic", lambda: 10.0)

    assert bar.seconds_left(share) == seconds
