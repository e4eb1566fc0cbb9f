import numpy as np
import pytest
from rivals import frame, table, truth

from brain_tumor.errors import DataError
from brain_tumor.evaluation.comparison.candidates import Run, make_candidates
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(60)


def run(name, recipe, seed="0", fold="", predictions=None):
    return Run(name, predictions or table(LABELS, seed=len(name)), recipe, f"model={recipe}", seed, fold)


def fold(number, seed=0, overlap=0):
    """The images of one of three folds."""
    rows = slice(20 * number, 20 * number + 20 + overlap)
    return Predictions.from_frame(frame(LABELS, seed=seed).iloc[rows])


def test_seeds_of_a_recipe_are_one_candidate():
    found = make_candidates([run("a0", "cnn"), run("b0", "vit"), run("a1", "cnn", "1"), run("a2", "cnn", "2")])

    assert [(one.name, one.runs, len(one.tables), one.folds) for one in found] == [
        ("model=cnn", ("a0", "a1", "a2"), 3, 1),
        ("b0", ("b0",), 1, 1),
    ]


def test_folds_are_joined_each_image_once():
    folds = [run(f"f{number}", "cnn", fold=str(number), predictions=fold(number)) for number in range(3)]

    joined, whole = make_candidates([*folds, run("w", "vit")])

    assert (len(joined.tables), joined.folds) == (1, 3)
    np.testing.assert_array_equal(joined.tables[0].labels, whole.tables[0].labels)
    expected = table(LABELS, seed=0).probabilities
    np.testing.assert_array_equal(joined.tables[0].probabilities, expected)


def test_folds_of_several_seeds():
    runs = [
        run(f"s{seed}f{number}", "cnn", str(seed), str(number), fold(number, seed))
        for number in range(3)
        for seed in range(2)
    ]

    (found,) = make_candidates(runs)

    assert (len(found.tables), found.folds) == (2, 3)
    np.testing.assert_array_equal(found.tables[1].probabilities, table(LABELS, seed=1).probabilities)


def test_runs_are_not_pooled_on_request():
    found = make_candidates([run("a0", "cnn"), run("a1", "cnn", "1")], pool=False)

    assert [one.name for one in found] == ["a0", "a1"]


def test_equal_seeds_are_no_replicates():
    assert [one.name for one in make_candidates([run("old", "cnn"), run("new", "cnn")])] == ["old", "new"]


def test_recipes_of_the_same_title_get_the_name_of_a_run():
    runs = [run(f"{recipe}{seed}", recipe, str(seed)) for recipe in "ab" for seed in range(2)]
    alike = [Run(one.name, one.predictions, one.recipe, "same", one.seed, one.fold) for one in runs]

    assert [one.name for one in make_candidates(alike)] == ["same (a0, …)", "same (b0, …)"]


def test_folds_that_overlap():
    folds = [run(f"f{number}", "cnn", fold=str(number), predictions=fold(number, overlap=5)) for number in range(2)]

    with pytest.raises(DataError, match=r"f0 and the other folds of its recipe share 5 test images.*pool=false"):
        make_candidates(folds)


def test_a_fold_that_is_missing():
    folds = [run(f"f{number}", "cnn", fold=str(number), predictions=fold(number)) for number in range(2)]

    with pytest.raises(DataError, match="f0 with its other folds and w were tested on different images: 40 in common"):
        make_candidates([*folds, run("w", "vit")])


def test_folds_of_other_classes():
    strange = frame(LABELS, names=("glioma", "meningioma", "no_tumor", "stroke")).iloc[20:40]
    runs = [
        run("f0", "cnn", fold="0", predictions=fold(0)),
        run("f1", "cnn", fold="1", predictions=Predictions.from_frame(strange)),
    ]

    with pytest.raises(DataError, match="only models of the same classes"):
        make_candidates(runs)
