import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.labels import normalise_label, random_labels

SPELLINGS = {
    "glioma": ["glioma", "Glioma_Tumor", "glioma tumour", "GLIOMA"],
    "meningioma": ["meningioma_tumor", "Meningioma"],
    "pituitary": ["pituitary", "pituitary_tumor", "Pituitary Tumor"],
    "no_tumor": ["notumor", "no_tumor", "No Tumour", "Healthy", "normal", "no", "Not Cancer", "Brain_Healthy"],
    "tumor": ["Brain Tumor", "tumour", "yes", "Cancer"],
    "schwannoma": ["Schwannoma"],
}


@pytest.mark.parametrize(("label", "name"), [(label, name) for label, names in SPELLINGS.items() for name in names])
def test_spellings(label, name):
    assert normalise_label(name) == label


@given(st.text(max_size=20))
def test_normalising_twice_changes_nothing(name):
    once = normalise_label(name)
    assert normalise_label(once) == once or once.endswith("_tumor")


def test_names_in_any_script_stay_distinct():
    names = ["胶质瘤", "Опухоль", "Méningiome", "+", "-"]

    assert [normalise_label(name) for name in names] == ["胶质瘤", "опухоль", "méningiome", "+", "-"]


def test_random_labels_are_one_per_group_and_cover_all_classes():
    table = pd.DataFrame({"label": [*"abc"] * 100, "group": [str(n // 2) for n in range(300)]})

    drawn = random_labels(table, 0)

    assert drawn.groupby("group")["label"].nunique().max() == 1
    assert drawn["label"].value_counts().between(60, 140).all()
    assert random_labels(table.sample(frac=1, random_state=1), 0).sort_index()["label"].equals(drawn["label"])
    assert not random_labels(table, 1)["label"].equals(drawn["label"])
