import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.labels import normalise_label

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


def test_names_in_any_script_stay_apart():
    names = ["胶质瘤", "Опухоль", "Méningiome", "+", "-"]

    assert [normalise_label(name) for name in names] == ["胶质瘤", "опухоль", "méningiome", "+", "-"]
