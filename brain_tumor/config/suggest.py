"""Guess what a user meant by a name that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches

from brain_tumor.config.key_types import keys
from brain_tumor.config.schema import SCHEMAS

_OF_GROUPS = {
    "data.root": "data=folder, or a public set such as data=nickparvar",
    "data.manifest": "data=manifest",
    "model.name": "model=timm",
    "model.weights": "a model of timm, such as model=resnet18",
    "split.path": "split=file",
    "split.fold": "split=kfold",
    "split.folds": "split=kfold",
    "local": "a file conf/local/NAME.yaml, which brain-tumor init writes",
}
"""Key that only some options of a group have → what brings it."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return `` Did you mean X?`` for the candidate that resembles a name most; empty if none does."""
    known = [each for each in dict.fromkeys(candidates) if each != name]  # another verb may have a key of this name
    by_letters = {candidate.replace("_", ".").lower(): candidate for candidate in known}
    close = get_close_matches(name.replace("_", ".").lower(), by_letters, n=1, cutoff=0.75)
    if close:
        return f" Did you mean {by_letters[close[0]]}?"
    ends = [each for each in known if "." in each and f"_{each.rpartition('.')[2]}".endswith(f"_{name.lower()}")]
    shortest = min(ends, key=len, default=None)  # epochs → trainer.max_epochs
    return f" Did you mean {shortest}?" if shortest else ""


def about_key(name: str) -> str:
    """Return a hint for a key that the configuration does not have; empty if there is none."""
    if name in _OF_GROUPS:
        return f" It needs {_OF_GROUPS[name]}."
    return did_you_mean(name, [*_OF_GROUPS, *(key for schema in SCHEMAS.values() for key, _ in keys(schema))])


def about_option(group: str, option: str, options: Iterable[str]) -> str:
    """Return a hint for an option that a group does not have; empty if there is none."""
    if group == "model":
        import timm  # takes seconds: only once something is wrong

        if timm.is_model(option):
            return f" It is a network of timm: model=timm model.name={option}."
    return did_you_mean(option, options)
