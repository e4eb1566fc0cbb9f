from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.training import precision
from brain_tumor.training.distributed.world import World
from brain_tumor.training.precision import FULL, HALF, resolve_precision

ALONE = World(1, 0, 1, "own")


@pytest.fixture
def cfg(tmp_path):
    return OmegaConf.create(
        {
            "trainer": {"precision": "auto", "accelerator": "cpu"},
            "model": {"widths": [8, 8]},
            "data": {"image_size": 32},
            "paths": {"cache_dir": str(tmp_path / "cache")},
        }
    )


@pytest.fixture
def classifier():
    return SimpleNamespace(network=SmallCNN(2, widths=(8, 8)), hparams={"mean": [0.5]})


@pytest.fixture
def bf16(monkeypatch):
    """A CPU with bf16 that is so many times as fast; returns how often that was measured."""
    monkeypatch.setattr(precision, "cpu_flags", lambda: {"avx512_bf16"})
    measured = []

    def of(speed_up):
        monkeypatch.setattr(precision, "_speed_up", lambda *_: measured.append(1) or speed_up)
        return measured

    return of


@pytest.mark.parametrize(
    ("speed_up", "chosen", "reason"),
    [(2.0, HALF, "measured 2.0 × as fast"), (1.2, FULL, "measured 1.2 × as fast"), (0.0, FULL, "too short to matter")],
)
def test_a_cpu_with_bf16_gets_it_where_that_is_faster(speed_up, chosen, reason, cfg, classifier, bf16):
    bf16(speed_up)

    told = resolve_precision(cfg, classifier, ALONE)

    assert cfg.trainer.precision == chosen
    assert told.startswith(f"{chosen} (avx512_bf16: bf16 ")
    assert reason in told


def test_what_was_measured_stays(cfg, classifier, bf16):
    again, measured = cfg.copy(), bf16(2.0)
    resolve_precision(cfg, classifier, ALONE)
    bf16(0.5)
    resolve_precision(again, classifier, ALONE)
    assert (again.trainer.precision, len(measured)) == (HALF, 1)

    other = OmegaConf.merge(again, {"trainer": {"precision": "auto"}, "data": {"image_size": 64}})
    resolve_precision(other, classifier, ALONE)
    assert (other.trainer.precision, len(measured)) == (FULL, 2)


def test_a_cache_that_cannot_be_written_costs_the_memory_only(cfg, classifier, bf16, tmp_path):
    bf16(2.0)
    cfg.paths.cache_dir = str(tmp_path / "file" / "cache")
    (tmp_path / "file").touch()

    resolve_precision(cfg, classifier, ALONE)

    assert cfg.trainer.precision == HALF


def test_nothing_is_measured_without_need(cfg, classifier, bf16, monkeypatch):
    measured = bf16(2.0)
    elsewhere, resumed, given = (cfg.copy() for _ in range(3))
    given.trainer.precision = "16-mixed"

    assert resolve_precision(elsewhere, classifier, World(2, 0, 1, "torchrun")).startswith(FULL)
    assert resolve_precision(resumed, classifier, ALONE, f"{FULL} (as it was)") == f"{FULL} (as it was)"
    assert resolve_precision(given, classifier, ALONE) == "16-mixed (trainer.precision)"
    monkeypatch.setattr(precision, "cpu_flags", set)
    assert resolve_precision(cfg, classifier, ALONE) == f"{FULL} (this CPU has no bf16)"
    assert not measured


@pytest.mark.parametrize(("capability", "chosen"), [((8, 0), HALF), ((7, 5), FULL)])
def test_gpus_by_their_generation(capability, chosen, cfg, classifier, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    cfg.trainer.accelerator = "auto"

    told = resolve_precision(cfg, classifier, ALONE)

    assert cfg.trainer.precision == chosen
    assert f"sm_{capability[0]}{capability[1]}" in told


def test_measuring_changes_nothing(classifier, monkeypatch):
    monkeypatch.setattr(precision, "_MIN_STEP_SECONDS", 0.0)
    network, state = classifier.network, torch.get_rng_state()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    assert precision._speed_up(network, 1, 32) > 0

    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_short_steps_are_not_compared(classifier, monkeypatch):
    halves = []
    monkeypatch.setattr(precision, "_step", lambda *_, half: halves.append(half) or 0.9 * precision._MIN_STEP_SECONDS)

    assert precision._speed_up(classifier.network, 1, 32) == 0
    assert halves == [False, False]
