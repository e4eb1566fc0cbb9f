"""What the schema promises: every key exists, and a value out of range is refused in one sentence."""

import subprocess
import sys
from dataclasses import make_dataclass

import pytest
from omegaconf import OmegaConf

from brain_tumor.config.compose import compose
from brain_tumor.config.key_types import key, keys, number, one_of, whole
from brain_tumor.config.schema import SCHEMAS
from brain_tumor.errors import ConfigError

NEEDED = {
    "predict": ["bundle=runs/a", "input=a.png"],
    "serve": ["bundle=runs/a"],
    "push": ["bundle=runs/a", "repo=me/model"],
    "export": ["bundle=runs/a"],
    "compare": ["runs=[a,b]"],
}
ALL = [(verb, name) for verb, schema in SCHEMAS.items() for name, _ in keys(schema)]
CHECKED = [(verb, name) for verb, schema in SCHEMAS.items() for name, found in keys(schema) if found.check]


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    return {verb: compose(NEEDED.get(verb, ()), tmp_path_factory.mktemp(verb), verb) for verb in SCHEMAS}


@pytest.mark.parametrize(("verb", "name"), ALL, ids=[f"{verb}-{name}" for verb, name in ALL])
def test_every_key_is_one_of_the_verb_and_has_help(verb, name, composed):
    absent = object()
    assert OmegaConf.select(composed[verb], name, default=absent) is not absent
    assert len(dict(keys(SCHEMAS[verb]))[name].text) > 10


@pytest.mark.parametrize(("verb", "name"), CHECKED, ids=[f"{verb}-{name}" for verb, name in CHECKED])
def test_a_wrong_value_ends_in_one_sentence(verb, name, tmp_path):
    expected = dict(keys(SCHEMAS[verb]))[name].check.expected

    with pytest.raises(ConfigError) as caught:
        compose([*NEEDED.get(verb, ()), f"{name}=nonsense"], tmp_path, verb)

    assert str(caught.value) == f"Invalid {name}=nonsense: expected {expected}."


@pytest.mark.parametrize("override", ["ood=3", "monitor=3"])
def test_a_value_in_place_of_a_table(override, tmp_path):
    with pytest.raises(ConfigError, match=f"Invalid {override}: expected a table of keys"):
        compose([override], tmp_path)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (whole(1), [1, 7], [0, -1, 1.0, True, None, "1"]),
        (number(lambda value: 0 < value < 1, "between 0 and 1"), [0.5], [0, 1, True, None, float("nan"), "0.5"]),
        (one_of("val", "test"), ["val"], ["train", None, 1]),
        (one_of(None, "default"), [None, "default"], ["null", 0]),
    ],
)
def test_checks(check, good, bad):
    assert all(map(check.holds, good))
    assert not any(map(check.holds, bad))


def test_null_is_allowed_where_the_type_says_so():
    fields = [("a", float | None, key("a", whole(1))), ("b", bool, key("b")), ("c", str, key("c"))]
    found = dict(keys(make_dataclass("Schema", fields)))

    assert found["a"].check.holds(None)
    assert found["a"].check.expected == "a whole number from 1, or null"
    assert not found["a"].check.holds(0)
    assert (found["b"].check.expected, found["c"].check) == ("true or false", None)


def test_it_does_not_import_torch():
    code = "import sys, brain_tumor.config.compose; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)

    assert done.stdout == "False\n"
