"""The split of a tuning run."""

import pytest
from data.splits.tables import split_groups, table, tables
from factories import SHORT
from hypothesis import assume, given, settings

from brain_tumor.config.compose import compose
from brain_tumor.data.samples import read_table
from brain_tumor.data.splits import Holdout, without_test
from brain_tumor.errors import DataError
from brain_tumor.train import train
from brain_tumor.training.data_from_config import build_split


@settings(deadline=None)
@given(tables(fewest=12))
def test_test_images_are_left_out_and_validation_is_halved(samples):
    split = Holdout(0.3, 0.3)(samples)
    assume(split[split["split"] == "val"].groupby("label")["group"].nunique().min() >= 2)
    tuned = without_test(split, seed=0)

    assert (tuned["split"][split["split"] == "test"] == "").all()
    assert (tuned["split"][split["split"] == "train"] == "train").all()
    halves = tuned[split["split"] == "val"]
    assert set(halves["split"]) == {"val", "test"}
    assert set(halves["label"][halves["split"] == "val"]) == set(halves["label"][halves["split"] == "test"])
    assert split_groups(tuned) == 0


def test_one_validation_group_of_a_class_is_too_few():
    samples = table(["a", "a", "b", "b"], split=["val", "val", "val", "train"])

    with pytest.raises(DataError, match=r"Class 'b' has 1 separate groups .*: split\.tuning=true needs at least 2"):
        without_test(samples, seed=0)


def test_a_tuning_run_does_not_see_the_test_set(flat_folder, tmp_path):
    options = ["data=folder", f"data.root={flat_folder}", *SHORT, "trainer.max_epochs=1"]
    options += ["split=holdout", "split.val=0.4", "split.test=0.3"]
    run = train([*options, "split.tuning=true"], tmp_path)

    table = read_table(run.run_dir / "samples.csv")
    before, used = build_split(compose(options))(table)["split"], table["split"]
    assert (used[before == "test"] == "").all()
    assert set(used[before == "val"]) == {"val", "test"}
    assert "half of validation" in (run.run_dir / "report.html").read_text()
