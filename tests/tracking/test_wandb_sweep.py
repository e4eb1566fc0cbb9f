"""wandb's own sweeps: the command line of a wandb agent starts a training."""

import subprocess
import sys

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from brain_tumor.config.compose import compose
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.tracking.wandb.logger import METRIC_DIRECTIONS

SWEEP = yaml.safe_load((CONF_DIR / "wandb_sweep.yaml").read_text())
RANGES = {"uniform": float, "log_uniform_values": float}


def agent_command(choose):
    """Return the command line of the agent; ``choose`` selects a value of each parameter."""
    chosen = {"args": {name: {"value": choose(spec)} for name, spec in SWEEP["parameters"].items()}}
    places = create_sweep_command_args(chosen) | {"env": ["/usr/bin/env"]}
    line = []
    for word in create_sweep_command(list(SWEEP["command"])):
        line += places[word[2:-1]] if word.startswith("${") else [word]
    return line


def end(which):
    return lambda spec: spec["values"][which] if "values" in spec else spec[("min", "max")[which]]


def test_the_sweep_file_follows_wandbs_documentation():
    assert SWEEP["method"] in ("grid", "random", "bayes")
    assert SWEEP["metric"] == {"name": "val/f1_macro", "goal": "maximize"}
    assert METRIC_DIRECTIONS[SWEEP["metric"]["name"]] == "max"
    assert SWEEP["early_terminate"]["type"] == "hyperband"
    assert {"min_iter", "max_iter"} & set(SWEEP["early_terminate"])
    for spec in SWEEP["parameters"].values():
        if "values" in spec:
            assert len(set(spec["values"])) > 1
        else:
            assert spec["distribution"] in RANGES
            assert 0 <= spec["min"] < spec["max"]
            assert isinstance(spec["min"], float)  # YAML reads 1e-4 as text
    assert set(SWEEP) <= {"name", "method", "metric", "parameters", "early_terminate", "command"}


@pytest.mark.parametrize("which", [0, 1], ids=["first", "last"])
def test_both_ends_of_each_range_compose(which, tmp_path):
    env, program, verb, *overrides = agent_command(end(which))

    assert (env, program, verb) == ("/usr/bin/env", "brain-tumor", "train")
    cfg = compose(overrides, tmp_path)
    assert cfg.optimizer.lr == end(which)(SWEEP["parameters"]["optimizer.lr"])
    assert "SafeWandbLogger" in cfg.logger.wandb._target_


def test_hydra_accepts_the_agents_command_line(tmp_path):
    _, _, *arguments = agent_command(end(0))

    command = [sys.executable, "-m", "brain_tumor", *arguments, "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["model"]["dropout"] == SWEEP["parameters"]["model.dropout"]["min"]
