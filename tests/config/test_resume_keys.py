"""Every key of a training has a decision on resuming: it takes effect, or is refused by name."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from brain_tumor.config.compose import compose
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.config.resume_keys import describe, find_changes, require_resumable
from brain_tumor.errors import ConfigError

GROUPS = (
    *("data", "split", "augmentation", "model", "loss", "optimizer", "scheduler", "trainer", "callbacks", "logger"),
    *("evaluation", "figures", "localizer", "paths"),
)
TAKES_EFFECT, REFUSED = "takes effect", "refused"
DECISIONS = {
    TAKES_EFFECT: [
        *("compile", "evaluation", "figures", "logger", "ood", "overwrite", "paths", "plugins", "resume", "split.path"),
        *("data.cache", "data.eval_batch_size", "data.manifest", "data.num_workers", "data.root"),
        *("trainer.accelerator", "trainer.enable_model_summary", "trainer.limit_predict_batches", "trainer.timeout"),
        *("trainer.log_every_n_steps", "trainer.max_epochs", "trainer.max_time", "trainer.profiler"),
        *("callbacks.early_stopping.patience", "callbacks.epoch_table", "callbacks.gradient_norm"),
        *("callbacks.learning_rate_monitor", "callbacks.progress", "callbacks.resume_checkpoint"),
        "callbacks.throughput",
    ],
    REFUSED: [
        *(
            "augmentation",
            "localizer",
            "loss",
            "lr_scaling",
            "model",
            "monitor",
            "optimizer",
            "scheduler",
            "seed",
            "tune",
        ),
        *("split._target_", "split.allow_leakage", "split.fold", "split.folds", "split.repeat", "split.seed"),
        *("split.source", "split.test", "split.tuning", "split.val", "split.val_offset"),
        *("data.adapter", "data.batch_size", "data.derived", "data.image_size", "data.imbalance", "data.modalities"),
        *("data.label_conflicts", "data.on_error", "data.patient", "data.patients", "data.plane", "data.seed"),
        *("data.copies", "data.corrections", "data.masks", "data.random_labels", "data.slices"),
        *("trainer._target_", "trainer.accumulate_grad_batches", "trainer.check_val_every_n_epoch", "trainer.devices"),
        *("trainer.deterministic", "trainer.gradient_clip_val", "trainer.limit_train_batches", "trainer.num_nodes"),
        *("trainer.limit_val_batches", "trainer.num_sanity_val_steps", "trainer.overfit_batches", "trainer.precision"),
        *("trainer.strategy", "trainer.sync_batchnorm"),
        *("callbacks.best_checkpoint", "callbacks.ema", "callbacks.freezing", "callbacks.progressive_resizing"),
        *("callbacks.pruning", "callbacks.step_seed"),
        *("callbacks.early_stopping._target_", "callbacks.early_stopping.mode", "callbacks.early_stopping.monitor"),
    ],
}
TABLE = {key: decision for decision, keys in DECISIONS.items() for key in keys}


def leaves(node, path):
    if not OmegaConf.is_dict(node):
        return {path}
    return {key for name in node for key in leaves(node._get_node(name), f"{path}.{name}".lstrip("."))}


def all_keys():
    """Every key of conf/train.yaml and of all options of its groups."""
    keys = leaves(OmegaConf.load(CONF_DIR / "train.yaml"), "")
    for group in GROUPS:
        for file in (CONF_DIR / group).glob("*.yaml"):
            keys |= leaves(OmegaConf.load(file), group)
    return sorted(key for key in keys if "defaults" not in key.split("."))


def rows_of(key):
    return [row for row in TABLE if key == row or key.startswith(f"{row}.")]


def test_each_key_has_one_decision_and_each_decision_a_key():
    keys = all_keys()

    assert len(keys) > 150
    assert [key for key in keys if len(rows_of(key)) != 1] == []
    assert {row for key in keys for row in rows_of(key)} == set(TABLE)


@pytest.mark.parametrize("decision", [TAKES_EFFECT, REFUSED])
def test_the_decision_is_made(decision):
    for key in all_keys():
        if TABLE[rows_of(key)[0]] != decision:
            continue
        before, now = (OmegaConf.create({}), OmegaConf.create({}))
        OmegaConf.update(before, key, "old", force_add=True)
        OmegaConf.update(now, key, "new", force_add=True)
        try:
            require_resumable(find_changes(before, now), Path("runs/first"))
            made, message = TAKES_EFFECT, ""
        except ConfigError as error:
            made, message = REFUSED, str(error)
        assert (key, made) == (key, decision)
        assert made == TAKES_EFFECT or f"{key}=new (was old)" in message


@pytest.fixture(scope="module")
def changed():
    before = compose([], "runs/first")
    return lambda *overrides: find_changes(before, compose(overrides, "runs/moved"))


def test_a_value_that_follows_another_key_counts_once(changed):
    assert changed("monitor.metric=val/auroc") == {"monitor.metric": ("val/f1_macro", "val/auroc")}


def test_the_same_value_written_in_another_way_is_no_change(changed):
    assert changed("callbacks.best_checkpoint.monitor=val/f1_macro", "resume=auto", "overwrite=true") == {}


def test_keys_that_only_one_of_them_has(changed):
    found = changed("callbacks=[ema]")

    assert found["callbacks.ema.decay"] == ("absent", 0.99)
    assert found["callbacks.progress.leave"] == (False, "absent")
    with pytest.raises(ConfigError, match=r"callbacks\.ema\._target_=\S+EMAWeightAveraging \(was absent\)"):
        require_resumable(found, Path("runs/first"))


@pytest.mark.parametrize(("path", "refused"), [("/new/resnet18.safetensors", False), ("/new/other.bin", True)])
def test_weights_may_lie_elsewhere_under_their_name(path, refused):
    cfg = [OmegaConf.create({"model": {"weights": place}}) for place in ("/old/resnet18.safetensors", path)]
    changes = find_changes(*cfg)

    assert describe(changes) == f"model.weights={path} (was /old/resnet18.safetensors)"
    if refused:
        with pytest.raises(ConfigError, match="start a new run"):
            require_resumable(changes, Path("runs/first"))
    else:
        require_resumable(changes, Path("runs/first"))
