"""The benchmark of the detector still runs: on a small run."""

import ood
import pytest


@pytest.mark.slow
def test_gate_of_a_run_is_measured_and_told(gated, capsys):
    found = ood.measure_run(gated, images=10)
    ood.tell({"cnn": found})

    assert set(found["sets"]) >= {"photos", "anatomy", "noise", "blank", "text", "inverted", "all sets"}
    assert found["sets"]["photos"]["auroc"]["n"] == 10
    shown = capsys.readouterr().out
    assert "are rejected (asked: 0.05)" in shown
    assert "FPR95" in shown


@pytest.mark.slow
def test_a_run_without_a_gate_is_told(trained):
    with pytest.raises(RuntimeError, match="has no detector"):
        ood.measure_run(trained)


def test_it_is_left_out_without_the_set(monkeypatch, capsys):
    monkeypatch.delenv("BRAIN_TUMOR_SHARED", raising=False)

    ood.tell(ood.measure())

    assert "left out: BRAIN_TUMOR_SHARED names no folder with data/nickparvar." in capsys.readouterr().out
