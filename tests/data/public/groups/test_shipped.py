import json
import logging
import subprocess
import sys

import pandas as pd
import pytest
from data.public.groups.samples import FILES, SETS, other_samples, samples_of_set

from brain_tumor.data.public.groups import shipped
from brain_tumor.data.public.groups.filling import apply_groups
from brain_tumor.data.public.groups.shipped import FOLD, GROUP, HOW, KEY, PATIENT, shipped_curation
from brain_tumor.data.samples import samples_table


def test_sizes_and_sets():
    assert shipped.names() == SETS
    assert {name: len(shipped.table(name)) for name in SETS} == FILES
    assert sum((shipped._TABLES / f"{name}.csv.xz").stat().st_size for name in SETS) < 150_000


@pytest.mark.parametrize("name", SETS)
def test_no_group_is_in_two_folds(name):
    table = shipped.table(name)

    assert table[KEY].is_unique
    assert table[KEY].str.fullmatch("[0-9a-f]{16}").all()
    assert table[GROUP].str.fullmatch("[0-9]+").all()
    assert set(table[FOLD]) == set("01234")
    assert table.groupby(GROUP)[FOLD].nunique().max() == 1


def test_sets_agree_on_files_and_patients():
    joined = pd.concat(map(shipped.table, SETS))
    patients = joined[joined[PATIENT] != ""]

    assert joined[KEY].nunique() == 11_882
    assert joined.groupby(KEY)[[GROUP, PATIENT]].nunique().max().max() == 1
    assert patients.groupby(PATIENT)[GROUP].nunique().max() == 1
    assert patients.groupby(GROUP)[PATIENT].nunique().max() == 1
    assert patients[PATIENT].nunique() == 209


def test_import_is_light():
    package = "import sys, brain_tumor.data.public.groups; print({'torch', 'pandas'} & set(sys.modules))"
    module = "import sys, brain_tumor.data.public.groups.filling; print({'torch'} & set(sys.modules))"

    for code in (package, module):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"


# Lookup by hash


@pytest.mark.parametrize("name", SETS)
def test_a_complete_set_is_recognised(name):
    samples = samples_of_set(name)

    filled, facts = apply_groups(samples)

    table = shipped.table(name).sort_values(KEY)
    assert filled["group"].tolist() == ("curated-" + table[GROUP]).tolist()
    assert filled["fold"].tolist() == table[FOLD].tolist()
    assert filled["patient_id"].tolist() == table[PATIENT].tolist()
    assert facts["source"].startswith("shipped with brain-tumor ")
    assert facts["sets"] == [name]
    assert (facts["matched"], facts["of"], facts["folds"], facts["how"]) == (FILES[name], FILES[name], 5, HOW)
    assert (samples[["group", "fold", "patient_id"]] == "").all(axis=None)
    json.dumps(facts)


def test_one_unknown_image_disables_folds_but_not_groups(caplog):
    samples = samples_table(pd.concat([samples_of_set("nickparvar"), other_samples(1)]))

    with caplog.at_level(logging.INFO):
        filled, facts = apply_groups(samples)

    assert (facts["matched"], facts["of"], facts["folds"]) == (6726, 6727, 0)
    assert (filled["group"] != "").sum() == 6726
    assert (filled["fold"] == "").all()
    assert "the fold of 1 of 6727 images is unknown" in caplog.text


def test_some_public_images_among_others():
    samples = samples_table(pd.concat([samples_of_set("cheng", slice(3)), other_samples(40)]))

    found = shipped_curation(samples)

    assert found.matched == 3
    assert found.rows["patient_id"].tolist() == [*found.rows["patient_id"][:3], *[""] * 40]
    assert apply_groups(samples)[1]["folds"] == 0


def test_rows_keep_their_index():
    samples = samples_of_set("cheng").set_axis(range(10, 3074))[lambda table: table.index % 2 == 0]

    filled, facts = apply_groups(samples)

    assert filled.index.equals(samples.index)
    assert (facts["matched"], facts["folds"]) == (1532, 5)
    assert filled.groupby("group")["fold"].nunique().max() == 1


def test_unknown_images():
    samples = other_samples(5)

    assert shipped_curation(samples) is None
    filled, facts = apply_groups(samples)
    assert facts == {}
    assert filled.equals(samples)
    assert apply_groups(samples_table(samples.assign(sha256="")))[1] == {}


def test_joined_sets_have_groups_but_no_folds():
    samples = samples_table(pd.concat([samples_of_set("cheng"), samples_of_set("nickparvar")]))

    filled, facts = apply_groups(samples)

    assert facts["sets"] == ["nickparvar", "cheng"]
    assert facts["matched"] == 3064 + 6726
    assert facts["folds"] == 0
    assert (filled["fold"] == "").all()
    assert filled.groupby("patient_id")["group"].nunique().drop("").max() == 1  # in whichever set an image is found


def test_files_of_two_sets_are_assigned_to_the_source():
    both = shipped.table("nickparvar")[KEY].isin(shipped.table("preetviradiya")[KEY]).to_numpy()

    for name in ("nickparvar", "preetviradiya"):
        samples = samples_of_set("nickparvar", both, source=name)
        assert shipped_curation(samples).sets == (name,)


def test_original_matlab_files_are_found_by_their_patients():
    by_hash = samples_of_set("cheng").assign(source="cheng")
    expected = shipped_curation(by_hash).rows
    samples = by_hash.assign(sha256="f" * 64, patient_id=expected["patient_id"])

    filled, facts = apply_groups(samples)

    assert (facts["sets"], facts["matched"], facts["folds"]) == (["cheng"], 3064, 5)
    assert filled["fold"].tolist() == expected["fold"].tolist()
    assert shipped_curation(samples.assign(source="own")) is None


# Values of the user


def test_values_of_the_user_stay():
    samples = samples_of_set("cheng")
    samples.loc[0, ["patient_id", "group"]] = "mine"
    samples.loc[1:, "fold"] = "7"

    filled, facts = apply_groups(samples)

    assert filled.loc[0, ["patient_id", "group"]].tolist() == ["mine", "mine"]
    assert filled.loc[1, "group"].startswith("curated-")
    assert filled["fold"].tolist() == samples["fold"].tolist()
    assert facts["folds"] == 0


def test_groups_of_the_user_in_several_folds_disable_folds(caplog):
    samples = samples_of_set("cheng")
    fold = shipped_curation(samples).rows["fold"]
    samples.loc[[fold.eq("0").idxmax(), fold.eq("1").idxmax()], "group"] = "mine"

    with caplog.at_level(logging.INFO):
        filled, facts = apply_groups(samples)

    assert facts["folds"] == 0
    assert (filled["fold"] == "").all()
    assert "a group or patient of the data is in several folds" in caplog.text
