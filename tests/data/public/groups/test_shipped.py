import json
import logging
import subprocess
import sys
import time

import pandas as pd
import pytest
from data.public.groups.public import FILES, SETS, known, strangers

from brain_tumor.data.public.groups import apply_groups, shipped
from brain_tumor.data.public.groups.shipped import FOLD, GROUP, HOW, KEY, PATIENT, curated
from brain_tumor.data.samples import samples_table


def test_sizes_and_sets():
    assert shipped.names() == SETS
    assert {name: len(shipped.table(name)) for name in SETS} == FILES
    assert sum((shipped._TABLES / f"{name}.csv.xz").stat().st_size for name in SETS) < 150_000


@pytest.mark.slow  # a time holds only on a machine that does nothing else
@pytest.mark.parametrize("name", SETS)
def test_loads_quickly(name):
    seconds = []
    for _ in range(3):
        shipped.table.cache_clear()
        start = time.perf_counter()
        shipped.table(name)
        seconds.append(time.perf_counter() - start)

    assert min(seconds) < 0.2


@pytest.mark.parametrize("name", SETS)
def test_no_group_stands_in_two_folds(name):
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
    code = "import sys, brain_tumor.data.public.groups; print({'torch', 'pandas'} & set(sys.modules))"
    late = "import sys, brain_tumor.data.public.groups.filling; print({'torch'} & set(sys.modules))"

    for each in (code, late):
        assert subprocess.run([sys.executable, "-c", each], capture_output=True, text=True, check=True).stdout == (
            "set()\n"
        )


# By what a file holds


@pytest.mark.parametrize("name", SETS)
def test_a_whole_set_is_recognised(name):
    samples = known(name)

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


def test_one_stranger_and_folds_are_off_but_groups_are_not(caplog):
    samples = samples_table(pd.concat([known("nickparvar"), strangers(1)]))

    with caplog.at_level(logging.INFO):
        filled, facts = apply_groups(samples)

    assert (facts["matched"], facts["of"], facts["folds"]) == (6726, 6727, 0)
    assert (filled["group"] != "").sum() == 6726
    assert (filled["fold"] == "").all()
    assert "the fold of 1 of 6727 images is not known" in caplog.text


def test_some_public_pictures_among_ones_own():
    samples = samples_table(pd.concat([known("cheng", slice(3)), strangers(40)]))

    found = curated(samples)

    assert found.matched == 3
    assert found.rows["patient_id"].tolist() == [*found.rows["patient_id"][:3], *[""] * 40]
    assert apply_groups(samples)[1]["folds"] == 0


def test_rows_keep_their_index():
    samples = known("cheng").set_axis(range(10, 3074))[lambda table: table.index % 2 == 0]

    filled, facts = apply_groups(samples)

    assert filled.index.equals(samples.index)
    assert (facts["matched"], facts["folds"]) == (1532, 5)
    assert filled.groupby("group")["fold"].nunique().max() == 1


def test_nothing_known():
    samples = strangers(5)

    assert curated(samples) is None
    filled, facts = apply_groups(samples)
    assert facts == {}
    assert filled.equals(samples)
    assert apply_groups(samples_table(samples.assign(sha256="")))[1] == {}


def test_joined_sets_have_groups_but_no_folds():
    samples = samples_table(pd.concat([known("cheng"), known("nickparvar")]))

    filled, facts = apply_groups(samples)

    assert facts["sets"] == ["nickparvar", "cheng"]
    assert facts["matched"] == 3064 + 6726
    assert facts["folds"] == 0
    assert (filled["fold"] == "").all()
    assert filled.groupby("patient_id")["group"].nunique().drop("").max() == 1  # whichever set an image comes from


def test_files_of_two_sets_are_of_the_one_named_as_source():
    both = shipped.table("nickparvar")[KEY].isin(shipped.table("preetviradiya")[KEY]).to_numpy()

    for name in ("nickparvar", "preetviradiya"):
        samples = known("nickparvar", both, source=name)
        assert curated(samples).sets == (name,)


def test_original_matlab_files_are_known_by_their_patients():
    by_bytes = known("cheng").assign(source="cheng")
    told = curated(by_bytes).rows
    samples = by_bytes.assign(sha256="f" * 64, patient_id=told["patient_id"])

    filled, facts = apply_groups(samples)

    assert (facts["sets"], facts["matched"], facts["folds"]) == (["cheng"], 3064, 5)
    assert filled["fold"].tolist() == told["fold"].tolist()
    assert curated(samples.assign(source="own")) is None


# What the user filled stays


def test_own_columns_win():
    samples = known("cheng")
    samples.loc[0, ["patient_id", "group"]] = "mine"
    samples.loc[1:, "fold"] = "7"

    filled, facts = apply_groups(samples)

    assert filled.loc[0, ["patient_id", "group"]].tolist() == ["mine", "mine"]
    assert filled.loc[1, "group"].startswith("curated-")
    assert filled["fold"].tolist() == samples["fold"].tolist()
    assert facts["folds"] == 0


def test_own_groups_across_folds_turn_folds_off(caplog):
    samples = known("cheng")
    fold = curated(samples).rows["fold"]
    samples.loc[[fold.eq("0").idxmax(), fold.eq("1").idxmax()], "group"] = "mine"

    with caplog.at_level(logging.INFO):
        filled, facts = apply_groups(samples)

    assert facts["folds"] == 0
    assert (filled["fold"] == "").all()
    assert "that the data name themselves" in caplog.text


# groups.csv beside the data
