import re

import pytest
from factories import FAST, random_predictions

from brain_tumor.evaluation.evidence import evidence
from brain_tumor.evaluation.report.checklists import CHECKLISTS, write_checklists

FACTS = {
    "data": {
        "name": "/home/someone/scans", "digest": "d" * 64, "classes": ["a", "b"], "found": 10, "readable": 9,
        "distinct": 8, "train": 5, "val": 2, "test": 2, "left_out": 0, "groups": 7, "split": "grouped",
        "leakage": {"test_in_train": 0},
    },
    "model": {"name": "SmallCNN", "parameters": 321_000, "image_size": 128, "weights": "none"},
    "training": {"monitor": "val/f1_macro", "best": 0.9},
    "versions": {"torch": "2.6"},
    "git_sha": None,
    "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def results():
    return evidence({"val": random_predictions(60, 0), "test": random_predictions(60, 1)}, FAST)


@pytest.mark.parametrize("name", CHECKLISTS)
def test_items_are_filled_or_open(tmp_path, results, name):
    still_open = write_checklists(tmp_path, results, FACTS)[name]

    text = (tmp_path / name).read_text()
    rows = re.findall(r"^\| (\d+\w?) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(rows) == {"claim.md": 44, "tripod_ai.md": 52}[name]
    assert sum("**open**" in answer for *_, answer in rows) == still_open
    assert f"{still_open} of {len(rows)} items are open" in text
    assert "None" not in text
    assert "someone" not in text
    assert "not a medical device" in text


def test_what_the_run_knows_is_in_there(tmp_path, results):
    write_checklists(tmp_path, results, FACTS)

    claim = (tmp_path / "claim.md").read_text()

    for said in ("10 found, 9 readable", "split grouped, 7 groups", "SmallCNN, 321,000 parameters", "seed 3"):
        assert said in claim
    assert f"macro-F1 {results['test']['f1_macro']['value']:.3f}" in claim


def test_a_table_alone_leaves_more_open(tmp_path, results):
    with_facts = write_checklists(tmp_path, results, FACTS)

    alone = write_checklists(tmp_path, {"test": results["test"], "n": results["n"]}, {})

    assert all(alone[name] > with_facts[name] for name in CHECKLISTS)
    assert "not known here" in (tmp_path / "claim.md").read_text()
