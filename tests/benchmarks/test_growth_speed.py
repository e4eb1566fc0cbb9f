"""The benchmark of growth still runs: small, all parts."""

import growing
import growth_speed
import numpy as np
import pytest

NUMBERS = (80, 160)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growing")
    growing.write(folder, max(NUMBERS), phantoms=6)
    return folder


def test_pictures_differ_and_copies_are_known(folder):
    from brain_tumor.data.cache.store import cached_images
    from brain_tumor.data.duplicates.pairs import image_pairs

    pairs = image_pairs(cached_images(growth_speed._paths(folder, 160), growing.SIZE, folder / "cache"))

    copies = pairs[pairs["kind"] == "near"]
    assert copies["right"].tolist() == list(range(19, 160, 20))
    assert (copies["right"] - copies["left"]).eq(1).all()
    assert len(pairs) - len(copies) < 16


@pytest.mark.parametrize("part", [part for part in growth_speed.PARTS if part != "training"])
def test_every_part_is_measured(folder, part):
    row = growth_speed.row(part, folder, NUMBERS[0])

    assert row["core_us_a_picture"] > 1
    assert 30 < row["anonymous_mib"] <= row["resident_mib"] <= row["peak_mib"]


def test_growth_is_told_and_drawn(tmp_path, capsys):
    costs = {100: 50.0, 1000: 60.0}
    rows = [
        {"part": part, "number": number, "seconds": 1, "core_us_a_picture": cost, "peak_mib": 9, "anonymous_mib": 5}
        | {"resident_mib": 1000 + number / 10}
        for number, cost in costs.items()
        for part in growth_speed.PARTS
    ]

    result = {"images": "some", "rows": rows, **growth_speed.growth(rows)}
    growth_speed.tell(result)
    growth_speed.plot(result, tmp_path / "growth.png")

    assert result["cost_of_a_picture"]["cache"] == 1.2
    assert result["training_grows_mib"] == 90
    assert "grows by 90 MiB (asked: ≤ 300)" in capsys.readouterr().out
    assert (tmp_path / "growth.png").stat().st_size > 5000


@pytest.mark.long
def test_a_training_does_not_grow_with_its_data(tmp_path):
    rows = growth_speed.measure((200, 8500))["rows"]  # up to 8,192 would be held in memory

    small, large = (row for row in rows if row["part"] == "training")
    assert large["peak_mib"] - small["peak_mib"] < 60  # the images alone are 141 MiB
    assert np.isfinite(large["core_us_a_picture"])
