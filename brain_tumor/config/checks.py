"""Check the values of a configuration against the keys of its verb; needs no Hydra."""

from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brain_tumor.config.key_types import keys
from brain_tumor.config.schema import SCHEMAS
from brain_tumor.errors import ConfigError, require


def require_valid(cfg: DictConfig, verb: str) -> None:
    """Refuse values left out or out of range.

    Args:
        cfg: Configuration, without Hydra's own part.
        verb: Name of the verb's configuration.

    Raises:
        ConfigError: A value is invalid.
        OmegaConfBaseException: An interpolation cannot be resolved.
    """
    schema = list(keys(SCHEMAS[verb]))
    for table in sorted({name.rpartition(".")[0] for name, _ in schema} - {""}):
        node = OmegaConf.select(cfg, table)
        require(node is None or OmegaConf.is_dict(node), f"{table}={node}", "a table of keys")
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(not_set(missing[0]))
    for name in _values(cfg, "None"):
        if not name.startswith("class_map."):  # there it may be a class
            raise ConfigError(f"Invalid {name}=None: no value is written null here; set {name}=null.")
    for name, known in schema:
        table, _, last = name.rpartition(".")
        node = OmegaConf.select(cfg, table) if table else cfg
        if node is not None and last in node and known.check is not None:  # else no key of this choice
            require(known.check.holds(node[last]), f"{name}={node[last]}", known.check.expected)


def not_set(key: str) -> str:
    """Return the message for a key that has no value."""
    return f"{key} is not set; give it on the command line: {key}=…"


def _values(node: Any, value: str, path: str = "") -> Iterator[str]:
    """Yield the dotted key of each occurrence of a value, at any depth; interpolations are not resolved."""
    plain: Any = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    items: Iterable[tuple[Any, Any]]
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for name, below in items:
        key = f"{path}.{name}" if path else str(name)
        if below == value:
            yield key
        yield from _values(below, value, key)
