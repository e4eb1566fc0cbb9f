import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from data.public.layouts import write
from lightning.pytorch.callbacks import Callback

from brain_tumor.config.compose import compose
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.data.folder_and_manifest import folder
from brain_tumor.data.public.registry import SETS
from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import ValidationScores
from brain_tumor.tracking.loggers import open_loggers
from brain_tumor.training import build as assemble
from brain_tumor.training.build_classifier import build_classifier
from brain_tumor.training.data_from_config import split_name
from brain_tumor.training.distributed.world import resolve_world
from brain_tumor.training.precision import resolve_precision

OPTIONS = [
    (path.parent.name, path.stem)
    for path in sorted(CONF_DIR.glob("*/*.yaml"))
    if path.parent.name not in ("hydra", "paths", "local")  # in every composition anyhow
]
LIST_SCANS = """
from pathlib import Path
import pandas as pd

def scans(suffix):
    return pd.DataFrame([{{"path": p, "label": p.parent.name}} for p in Path('{root}').rglob("*" + suffix)])
"""
RECIPES = {"four_class": "nickparvar", "cheng": "cheng", "reference_task": "preetviradiya"}
"""Start of the name of an experiment → public set that it is for; others are for any data."""
SMALL = ["data.image_size=64", "data.num_workers=0", "optimizer.lr=1e-3"]


def needs(group: str, option: str, root: Path, csv: Path, elsewhere: Path) -> list[str]:
    """What an option leaves to its user."""
    name, logged = f"{group}={option}", f"{group}=[{option}]"
    match group, option:
        case "data", "folder":
            return [name, f"data.root={root}"]
        case "data", "manifest":
            return [name, f"data.manifest={csv}"]
        case "data", "phantom":
            return [name, "data.patients=24", "data.slices=1"]
        case "data", public if public in SETS:
            return [name, f"data.root={write(public, elsewhere)}"]
        case "experiment", "demo" | "quick":
            return [name, "data.patients=24", "data.slices=1"]
        case "experiment", recipe:
            pretrained = [] if "transfer" not in recipe else ["model.pretrained=false"]
            public = next((public for start, public in RECIPES.items() if recipe.startswith(start)), None)
            data = [f"data.root={write(public, elsewhere)}"] if public else ["data=folder", f"data.root={root}"]
            return [name, *pretrained, *data]
        case "split", "file":
            write_table(folder(root).samples, elsewhere.with_suffix(".csv"))
            return [name, f"split.path={elsewhere.with_suffix('.csv')}"]
        case "split", "leave_one_source_out":
            return [name, "data=phantom", "data.patients=48", "data.slices=1"]
        case "data", "custom":
            module = f"{elsewhere.name}_scans"
            elsewhere.with_name(f"{module}.py").write_text(LIST_SCANS.format(root=root))
            return [name, "plugins=[set_scans]", f"data.adapter._target_={module}.scans", "++data.adapter.suffix=.png"]
        case "localizer", "custom":
            return [name, "localizer._target_=brain_tumor.models.localizer.LocalizedNetwork", "+localizer.width=8"]
        case "loss", "custom":
            return [f"{name}", "loss._target_=torch.nn.CrossEntropyLoss", "+loss.label_smoothing=0.1"]
        case "optimizer", "custom":
            return [name, "optimizer._target_=torch.optim.RAdam", "+optimizer.eps=1e-6"]
        case "optimizer", "timm":
            return [name, "optimizer.name=lion"]
        case "scheduler", "custom":
            return [name, "scheduler._target_=torch.optim.lr_scheduler.StepLR", "+scheduler.step_size=5"]
        case "model", "custom":
            return [name, "model._target_=torchvision.models.squeezenet1_1", "+model.dropout=0.1"]
        case "model", "hub":
            config = {
                "architecture": "resnet10t",
                "num_classes": 5,
                "pretrained_cfg": {},
                "model_args": {"stem_width": 8},
            }
            elsewhere.mkdir()
            (elsewhere / "config.json").write_text(json.dumps(config))
            return [name, f"model.name=local-dir:{elsewhere}", "model.pretrained=false"]
        case "model", "timm":
            return [name, "model.name=resnet10t", "model.pretrained=false"]
        case "model", model if model not in ("small_cnn", "reference_cnn"):
            return [name, "model.pretrained=false"]
        case (("callbacks" | "logger"), _):
            return [logged]
    return [name]


HEAVY = [path.stem for path in sorted((CONF_DIR / "model").glob("*.yaml")) if "timm" in path.read_text()]
"""Options of ``model`` that build a large network."""


@pytest.mark.parametrize(
    ("group", "option"),
    [
        pytest.param(*each, marks=[pytest.mark.slow] if each[0] == "model" and each[1] in HEAVY else [])
        for each in OPTIONS
    ],
    ids=[f"{group}={option}" for group, option in OPTIONS],
)
def test_every_yaml_composes_and_builds(group, option, parted_folder, manifest_csv, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    if (group, option) == ("launcher", "ray"):
        pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="no extra of ours brings it")
    if option in ("gpu", "ddp", "fsdp") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    chosen = needs(group, option, parted_folder, manifest_csv, tmp_path / "set")
    if group != "experiment" and not any(override.startswith("data=") for override in chosen):
        chosen += ["data=folder", f"data.root={parted_folder}"]
    cfg = compose([*chosen, *SMALL], tmp_path)

    datamodule = assemble.build_datamodule(cfg)
    datamodule.load()
    classifier = build_classifier(cfg, datamodule)
    resolve_precision(cfg, classifier, resolve_world(cfg))
    with open_loggers(cfg) as loggers:
        trainer = assemble.build_trainer(cfg, loggers)
        assert bool(trainer.loggers) == (group == "logger")

    batch = datamodule.on_after_batch_transfer(next(iter(datamodule.val_dataloader())), 0)
    with torch.inference_mode():
        assert classifier.eval()(batch[0]).shape == (len(batch[0]), len(datamodule.classes))
    assert assemble.fresh_trainer(cfg).loggers == []
    if group == "callbacks":
        built = {type(callback).__name__ for callback in trainer.callbacks}
        assert {node["_target_"].rpartition(".")[2] for node in cfg.callbacks.values()} <= built


def test_every_option_is_named_where_users_look():
    """The comments of train.yaml name groups' options, so that nobody has to list the folders."""
    text = (CONF_DIR / "train.yaml").read_text()

    groups = {group for group, _ in OPTIONS} - {"local"}
    assert all(f"{group}: " in text for group in groups)
    assert all(name in text for name in SETS)
    splits = re.search(r"- split: (.*?)- augmentation", text, re.DOTALL)[1]
    assert {option for group, option in OPTIONS if group == "split"} <= set(re.findall(r"\w+", splits))


def test_every_yaml_explains_itself():
    for path in CONF_DIR.rglob("*.yaml"):
        assert "#" in path.read_text(), path


def test_python_composes_what_the_command_line_would(tmp_path):
    cfg = compose(["model=resnet18", "optimizer.lr=0.5", "callbacks=[ema,early_stopping]"], tmp_path / "a b=c")

    assert cfg.paths.run_dir == str(tmp_path / "a b=c")
    assert cfg.optimizer.lr == 0.5
    assert list(cfg.callbacks)[:2] == ["ema", "early_stopping"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("modle=small_cnn", "modle"),
        (
            "+callbacks.x._target_=os.system",
            r"callbacks\.x\._target_=os\.system is not allowed: expected a class of brain_tumor",
        ),
        ("+loss.inner._target_=mylab.Net", r"loss\.inner\._target_=mylab\.Net is not allowed, .*plugins=\[mylab\]"),
        ("plugins=[os]", r"Invalid plugins=\['os'\]: expected a list of packages that are not part of Python"),
        ("plugins=mylab", r"Invalid plugins=mylab: expected a list of names: \[mylab\]"),
        ("plugins=[no_such_lab]", r"plugins=\[no_such_lab\]: there is no package no_such_lab; install it"),
        ("model=nothing", "there are: .*small_cnn, .*vit_small"),
        ("optimizer.speed=1", "no key optimizer.speed"),
        ("+optimisation.lr=1", "Nothing reads the key optimisation.lr"),
        ("+optimizer=nothing", "optimizer"),
        ("optimizer.lr=[", r"^Invalid optimizer.lr=\[: expected a number, or auto"),
        ("fast", "fast is not understood; expected GROUP=OPTION or KEY=VALUE"),
        ("/", "For a folder: data.root=/, or run=/"),
        ("seed=1,2", r"seed=1,2 names several values; add --multirun to run each, or write seed=\[1,2\] for a list"),
        ("data=folder", "data.root is not set; give it on the command line: data.root="),
        ("model=timm", "model.name is not set"),
        ("split=file", "split.path is not set"),
        ("model.depth=${nowhere}", "nowhere"),
        ("callbacks=[nothing]", "There is no callbacks=nothing; there are: best_checkpoint, early_stopping, ema"),
        ("seed=abc", "Invalid seed=abc: expected a whole number"),
        ("evaluation.resamples=0", "evaluation.resamples=0"),
        ("ood.reject_share=0.9", "Invalid ood.reject_share=0.9: expected a share above 0, at most 0.5"),
        ("ood.reject_share=no", "Invalid ood.reject_share=no"),
        ("monitor.mode=up", "expected monitor.mode=max"),
        ("monitor.metric=val/loss", "expected monitor.mode=min"),
        ("monitor.metric=val/typo", "Invalid monitor.metric=val/typo: expected val/f1_macro"),
        ("trainer.precision=bf16-true", "expected auto, 32-true"),
        ("compile=fastest", "Invalid compile=fastest: expected null, default, reduce-overhead, max-autotune"),
        ("optimizer.lr=abc", "Invalid optimizer.lr=abc: expected a number"),
        ("seed=null", "seed=None"),
        ("callbacks=null", "must be a string or a list"),
        ("trainer.max_epochs=-1", "trainer.max_epochs=-1"),
    ],
)
def test_mistakes_in_overrides(override, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence) as caught:
        compose([override], tmp_path)

    assert "\n" not in str(caught.value)


def test_options_of_a_users_own_folder_are_named_and_composed(tmp_path):
    (tmp_path / "conf" / "callbacks").mkdir(parents=True)
    (tmp_path / "conf" / "callbacks" / "mine.yaml").write_text("mine:\n  _target_: lightning.pytorch.callbacks.Timer\n")
    folder = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"

    assert "mine" in compose([folder, "callbacks=[mine]"], tmp_path).callbacks
    with pytest.raises(ConfigError, match=r"There is no callbacks=nothing; there are: .*freeze.*, mine, "):
        compose([folder, "callbacks=[nothing]"], tmp_path)


def test_a_local_configuration_of_a_users_own_folder(tmp_path):
    (tmp_path / "conf" / "local").mkdir(parents=True)
    (tmp_path / "conf" / "local" / "mine.yaml").write_text("# @package _global_\nseed: 5\n")
    folder = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"

    assert compose([folder, "local=mine"], tmp_path).seed == 5
    with pytest.raises(ConfigError, match=r"There is no local=other; there are: .*mine"):
        compose([folder, "local=other"], tmp_path)


def test_a_local_configuration_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    """Hydra leaves out an optional group without a word: the run would be one on phantoms."""
    monkeypatch.setattr("brain_tumor.config.compose.CONF_DIR", tmp_path / "conf")
    shutil.copytree(CONF_DIR, tmp_path / "conf")
    (tmp_path / "conf" / "local").mkdir(exist_ok=True)
    (tmp_path / "conf" / "local" / "scans.yaml").write_text("# @package _global_\nseed: 7\n")

    assert compose(["local=scans"], tmp_path).seed == 7
    with pytest.raises(ConfigError, match=r"There is no local=scnas; there are: .*scans\. Did you mean scans\?"):
        compose(["local=scnas"], tmp_path)


def test_an_appended_group_is_read(tmp_path):
    (tmp_path / "conf" / "mine").mkdir(parents=True)
    (tmp_path / "conf" / "mine" / "fast.yaml").write_text("# @package _global_\nseed: 7\n")

    assert compose([f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "+mine=fast"], tmp_path).seed == 7


def test_appended_arguments_reach_their_object(tmp_path):
    cfg = compose(
        ["+augmentation.steps.GaussNoise.p=0.2", "+trainer.min_epochs=2", "trainer.precision=32-true"], tmp_path
    )

    assert cfg.augmentation.steps.GaussNoise.p == 0.2
    assert assemble.build_trainer(cfg, []).min_epochs == 2


def test_every_validation_metric_can_be_monitored(tmp_path):
    scores = ValidationScores(2)
    scores.update(torch.arange(2), torch.arange(2), torch.eye(2))

    for name in (f"val/{score}" for score in scores.compute()):
        mode = "min" if name == "val/loss" else "max"
        assert compose([f"monitor.metric={name}", f"monitor.mode={mode}"], tmp_path).monitor.metric == name


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "split"])
def test_a_split_is_called_by_its_option(option, tmp_path):
    cfg = compose([f"split={option}", *(["split.path=a.csv"] if option == "file" else [])], tmp_path)

    assert split_name(cfg, ()) == ("grouped" if option == "auto" else option)
    assert split_name(cfg, ("train", "test")) == ("official" if option == "auto" else option)


def test_a_gpu_that_is_not_there(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="trainer cannot be built"):
        assemble.build_trainer(compose(["trainer=gpu", "trainer.precision=32-true"], tmp_path), [])


def test_without_a_progress_bar_epochs_are_announced(tmp_path):
    trainer = assemble.build_trainer(compose(["callbacks=[]", "trainer.precision=32-true"], tmp_path), [])

    assert trainer.progress_bar_callback is None
    assert all(isinstance(callback, Callback) for callback in trainer.callbacks)
