import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from brain_tumor.config.sweep_keys import only_value, with_keys_per_job


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["model=a,b", "model.weights=DIR"], ["model=a,b", "model.weights=choice(DIR)"]),
        (["model.weights='a b'", "model=glob(*)"], ["model.weights=choice('a b')", "model=glob(*)"]),
        (["model=a,b", "+model.args.k=[1,2]", "~model.x"], ["model=a,b", "+model.args.k=choice([1,2])", "~model.x"]),
        (["callbacks=[ema],[]", "callbacks.ema.decay=0.9"], ["callbacks=[ema],[]", "callbacks.ema.decay=choice(0.9)"]),
        (["model=a", "model.weights=DIR", "seed=0,1"], ["model=a", "model.weights=DIR", "seed=0,1"]),
        (["--multirun", "model=a,b", "model.dropout=0,0.5"], ["--multirun", "model=a,b", "model.dropout=0,0.5"]),
    ],
)
def test_keys_of_swept_groups_are_left_to_the_jobs(arguments, expected):
    assert with_keys_per_job(arguments) == expected
    assert with_keys_per_job(expected) == expected


@pytest.mark.parametrize(
    ("override", "expected"),
    [("+a.b=choice('x y')", r"+a.b=x\ y"), ("a=1,2", None), ("a=choice(1,2)", None), ("a=1", None)],
)
def test_a_choice_of_one_value_varies_nothing(override, expected):
    assert only_value(OverridesParser.create().parse_override(override)) == expected
