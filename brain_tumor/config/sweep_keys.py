"""Keys of a sweep that belong to an option which the sweep varies: they are checked per job."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException


def with_keys_per_job(arguments: Sequence[str]) -> list[str]:
    """Let keys below a swept group be looked up in each job, and not in the option that the group has by default.

    Hydra composes the configuration of a sweep without what is swept, where ``model=resnet18,resnet50
    model.weights=DIR`` fails: the default model has no weights. A choice of one value is left to the jobs.

    Args:
        arguments: Command line, with or without flags.

    Example:
        >>> with_keys_per_job(["--multirun", "model=resnet18,resnet50", "model.weights=DIR", "seed=1"])
        ['--multirun', 'model=resnet18,resnet50', 'model.weights=choice(DIR)', 'seed=1']
    """
    parsed = {text: _parsed(text) for text in arguments if not text.startswith("-")}
    swept = {override.key_or_group for override in parsed.values() if override and override.is_sweep_override()}
    return [_as_choice(text) if _is_below(parsed.get(text), swept) else text for text in arguments]


def only_value(override: Override) -> str | None:
    """Return ``KEY=VALUE`` of a choice of one value, which varies nothing; None for any other override."""
    if not isinstance(override.value(), ChoiceSweep):
        return None
    values = list(override.sweep_string_iterator())
    return f"{override.get_key_element()}={values[0]}" if len(values) == 1 else None


def _as_choice(override: str) -> str:
    key, _, value = override.partition("=")
    return f"{key}=choice({value})" if value else override


def _is_below(override: Override | None, groups: set[str]) -> bool:
    if override is None or override.is_sweep_override() or override.is_delete():
        return False
    table, dot, _ = override.key_or_group.partition(".")
    return bool(dot) and table in groups


def _parsed(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:  # it is reported when Hydra reads the command line
        return None
