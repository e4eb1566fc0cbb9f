"""Which keys of a training may change when it is resumed: those take effect, all others are refused by name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.renamed import with_new_keys
from brain_tumor.errors import ConfigError

TAKES_EFFECT = (
    # how long it trains
    *("trainer.max_epochs", "trainer.max_time", "callbacks.early_stopping.patience"),
    # where files lie: the images and their split are compared with those that the run started with
    *("paths", "data.root", "data.manifest", "split.path", "plugins"),
    # how fast it computes the same
    *("compile", "data.cache", "data.eval_batch_size", "data.num_workers", "trainer.accelerator", "trainer.timeout"),
    # what it shows, logs and saves
    *("logger", "trainer.enable_model_summary", "trainer.log_every_n_steps", "trainer.profiler"),
    *("callbacks.epoch_table", "callbacks.gradient_norm", "callbacks.learning_rate_monitor", "callbacks.progress"),
    *("callbacks.resume_checkpoint", "callbacks.throughput"),
    # what is computed after training
    *("evaluation", "ood", "figures", "trainer.limit_predict_batches"),
    # what this command does
    *("resume", "overwrite"),
)
"""Keys, and tables of keys, that a resumed run may change."""
_OF_EACH_COMMAND = ("paths", "resume", "overwrite")
"""Those that say nothing about the run itself."""
_MOVED_FILES = ("model.weights",)
"""Keys of files whose content is part of the checkpoint by then: they may lie elsewhere, under the same name."""
_ABSENT = "absent"
_SHOWN = 4
"""Number of changed keys that a message names."""

Changes = dict[str, tuple[Any, Any]]
"""Key → its value in the interrupted run, and its value now; ``absent`` for a key that only one of them has."""


def find_changes(before: DictConfig, now: DictConfig) -> Changes:
    """Find the keys in which two configurations of ``train`` differ, apart from those of each command.

    A value that follows another key (``${monitor.metric}``) counts once, as a change of that key.

    Args:
        before: Configuration of the interrupted run.
        now: Configuration that it is to be resumed with.
    """
    before = with_new_keys(before, "train", ())
    old, new = (dict(_leaves(OmegaConf.to_container(cfg))) for cfg in (before, now))
    changed = [key for key in {**new, **old} if old.get(key, _ABSENT) != new.get(key, _ABSENT)]
    values = {key: (_resolved(before, key, old), _resolved(now, key, new)) for key in changed}
    return {key: pair for key, pair in values.items() if pair[0] != pair[1] and not _is_one_of(key, _OF_EACH_COMMAND)}


def require_resumable(changes: Changes, run_dir: Path) -> None:
    """Refuse changes that a resumed run would ignore, or fail with.

    Raises:
        ConfigError: There are such changes; the message names the first of them.
    """
    refused = {key: pair for key, pair in changes.items() if not _takes_effect(key, pair)}
    if refused:
        raise ConfigError(
            f"{describe(refused)}: the interrupted run in {run_dir} cannot change this, since its checkpoint belongs "
            "to the old value. Resume it with that value (resume=RUN takes it over), or start a new run in another "
            "hydra.run.dir."
        )


def describe(changes: Changes) -> str:
    """Name the first changes: ``optimizer.lr=0.01 (was auto)``."""
    texts = [f"{key}={_text(now)} (was {_text(before)})" for key, (before, now) in changes.items()]
    return ", ".join(texts[:_SHOWN]) + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")


def _takes_effect(key: str, pair: tuple[Any, Any]) -> bool:
    if key in _MOVED_FILES and _ABSENT not in pair and None not in pair:
        return Path(str(pair[0])).name == Path(str(pair[1])).name
    return _is_one_of(key, TAKES_EFFECT)


def _is_one_of(key: str, tables: tuple[str, ...]) -> bool:
    return any(key == table or key.startswith(f"{table}.") for table in tables)


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with their values; a list is one value, and an empty table is none."""
    if not isinstance(node, Mapping):
        yield path, node
        return
    for name, value in node.items():
        yield from _leaves(value, f"{path}.{name}" if path else str(name))


def _resolved(cfg: DictConfig, key: str, leaves: Mapping[str, Any]) -> Any:
    if key not in leaves:
        return _ABSENT
    try:
        value = OmegaConf.select(cfg, key)
    except OmegaConfBaseException:  # it refers to a key, or a variable of the environment, that is gone
        return leaves[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
