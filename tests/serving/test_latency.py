"""Latencies and speed-ups from rounds in which functions take turns."""

import pytest

from brain_tumor.serving.latency import Latency, interleaved, speed_up


def latency(*rounds):
    return Latency(0.0, 0.0, len(rounds), rounds)


def test_speed_up_is_the_median_of_the_ratios_of_rounds():
    """The machine is slow in the second half of the rounds: the ratio of the medians would be 4 / 10."""
    assert speed_up(latency(3, 4, 50), latency(1, 10, 10)) == pytest.approx(3)


def test_functions_take_turns():
    order = []
    found = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=0, rounds=3)

    turns = [name for name, before in zip(order[2:], [None, *order[2:]], strict=False) if name != before]
    assert turns == ["a", "b"] * 3
    assert {name: (each.calls, len(each.rounds)) for name, each in found.items()} == {"a": (15, 3), "b": (15, 3)}
