import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from brain_tumor.cli.arguments import flags_first, with_runs


def runs_of(arguments):
    """What Hydra reads."""
    (override,) = OverridesParser.create().parse_overrides([with_runs(arguments)[-1]])
    return [getattr(run, "text", run) for run in override.value()] if override.key_or_group == "runs" else None


@pytest.mark.parametrize(
    "names",
    [
        ["runs/a", "runs/b"],
        ["one run"],
        ["it's here", 'say "b"', "a,b", "[c]"],
        ["back\\slash", "end\\"],
    ],
)
def test_runs_keep_their_names(names):
    assert runs_of(names) == names


def test_flags_and_overrides_stay():
    assert with_runs(["a", "--cfg", "job", "metric=auroc", "+x=1", "~y", "b", "-m"]) == [
        "--cfg", "job", "metric=auroc", "+x=1", "~y", "-m", 'runs=["a","b"]',
    ]  # fmt: skip


def test_nothing_to_gather():
    assert with_runs(["runs=[a,b]", "--help"]) == ["runs=[a,b]", "--help"]


def test_a_folder_that_is_named_like_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model=small_cnn").mkdir()

    assert with_runs(["model=small_cnn", "model=vit"]) == ["model=vit", 'runs=["model=small_cnn"]']


def test_flags_may_stand_anywhere():
    assert flags_first(["a=1", "--config-dir", "my=conf", "b=-1", "-m", "~c"]) == [
        "--config-dir", "my=conf", "-m", "a=1", "b=-1", "~c"
    ]  # fmt: skip
