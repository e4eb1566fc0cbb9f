import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.readers.slices import parse_slice_policy
from brain_tumor.errors import ConfigError

AREAS = [0.0, 1.0, 5.0, 9.0, 8.0, 7.0, 2.0, 0.0]
SIZES = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


def must_not_measure() -> list[float]:
    raise AssertionError("areas were measured although the rule does not need them")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("largest:1", [3]),
        ("largest", [3]),
        ("largest:3", [3, 4, 5]),
        ("largest:99", list(range(8))),
        ("every:1", [2, 3, 4, 5]),  # 2.25 is a quarter of the largest
        ("every:2", [2, 4]),
        (" every : 3 ".replace(" ", ""), [2, 5]),
    ],
)
def test_rules_that_need_areas(text, chosen):
    assert parse_slice_policy(text).choose(8, lambda: AREAS) == chosen


@pytest.mark.parametrize(
    ("text", "chosen"), [("all", list(range(8))), ("index:5,2,2", [2, 5]), ("index:0, 7,8", [0, 7]), ("index:99", [])]
)
def test_rules_that_need_no_areas(text, chosen):
    assert parse_slice_policy(text).choose(8, must_not_measure) == chosen


def test_a_single_slice_is_selected_without_areas():
    assert parse_slice_policy("largest:3").choose(1, must_not_measure) == [0]
    assert parse_slice_policy("every:3").choose(1, must_not_measure) == [0]
    assert parse_slice_policy("index:80").choose(1, must_not_measure) == [0]


@pytest.mark.parametrize(
    "text",
    ["", "most", "largest:0", "every:0", "every:x", "largest:1,2", "index", "index:", "index:-1", "all:1", "index:1,,2",
     "every:²", "largest:1e3", "None"],
)  # fmt: skip
def test_other_texts_are_refused(text):
    with pytest.raises(ConfigError, match="expected largest:N, every:N, index:I,J or all"):
        parse_slice_policy(text)


@given(areas=SIZES, number=st.integers(1, 50), rule=st.sampled_from(["largest", "every"]))
def test_selected_slices_ascend_and_have_the_largest_areas(areas, number, rule):
    chosen = parse_slice_policy(f"{rule}:{number}").choose(len(areas), lambda: areas)

    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(len(areas)))
    if rule == "largest":
        assert len(chosen) == min(number, len(areas))
        rest = [areas[i] for i in set(range(len(areas))) - set(chosen)]
        assert min(areas[i] for i in chosen) >= max(rest, default=0)
    elif len(areas) > 1:
        assert chosen
        assert all(areas[i] >= max(areas) / 4 for i in chosen)


@pytest.mark.parametrize("text", ["largest:2", "every:3", "index:1,5", "all"])
def test_str_gives_the_text_of_a_policy(text):
    assert str(parse_slice_policy(text)) == text
