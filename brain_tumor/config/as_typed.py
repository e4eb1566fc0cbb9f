"""Take values of overrides as they were typed, where Hydra's grammar would refuse or change them."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

PATHS = frozenset(
    {
        *("bundle", "champion", "input", "ood_images", "output", "predictions", "run", "samples", "val"),
        *("data.manifest", "data.root", "model.weights", "paths.cache_dir", "split.path"),
    }
)
"""Keys whose values are paths: any characters are allowed in them, and ``007`` is no number."""
_WITH_COMMAS = "data.slices"
"""Key whose value may contain commas (``index:40,41``) and is no sweep then."""


def as_typed(arguments: Sequence[str]) -> list[str]:
    """Quote the values of overrides that are paths, and others that Hydra cannot parse.

    Values that are quoted already, null, interpolations or lists, and sweeps of several values, stay as they are.

    Args:
        arguments: Command line, with or without flags.

    Example:
        >>> as_typed(["input=scan(1).png", "optimizer.lr=1e-3"])
        ['input="scan(1).png"', 'optimizer.lr=1e-3']
    """
    parser = OverridesParser.create()
    is_sweep = bool({"-m", "--multirun"} & set(arguments))
    return [argument if argument.startswith("-") else _quoted(argument, parser, is_sweep) for argument in arguments]


def _quoted(argument: str, parser: OverridesParser, is_sweep: bool) -> str:
    key, separator, value = argument.partition("=")
    if not separator or not value or value[0] in "'\"" or "${" in value or value == "null":
        return argument
    is_list = value[0] == "[" and value[-1] == "]"
    name = key.lstrip("+")
    is_text = (name in PATHS or (name == _WITH_COMMAS and "," in value)) and not is_list
    is_text &= not (is_sweep and "," in value)
    return (
        f"{key}={QuotedString(value, Quote.double).with_quotes()}"
        if is_text or not _parses(argument, parser)
        else argument
    )


def _parses(argument: str, parser: OverridesParser) -> bool:
    try:
        parser.parse_override(argument)
    except HydraException:
        return False
    return True
