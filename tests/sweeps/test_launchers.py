"""Launchers: jobs fail in the same way with all of them, and the resources requested from Slurm fit the trainer."""

import os
import signal
import sys

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from sweep_commands import finish, read_table, start, wait_for, writing_processes

from brain_tumor.sweeps.forked_launcher import ForkedLauncher, reason_not_to_fork
from brain_tumor.sweeps.plugins import register_plugins


@pytest.mark.long
@pytest.mark.parametrize(
    ("launcher", "reason"),
    [("joblib", None), ("submitit_local", "local job"), ("hydra", "killed by signal 9")],
)
def test_a_job_that_is_killed_and_one_that_fails(launcher, reason, flat_folder, tmp_path):
    """Of three jobs one fails, one is killed and one finishes, although joblib's workers all die with that one."""
    chosen = ["hydra.launcher.n_jobs=2"] if launcher == "hydra" else [f"launcher={launcher}"]
    process = start(flat_folder, tmp_path, *chosen, "trainer.max_epochs=25", "optimizer.lr=1e-3,-1,2e-3")
    wait_for(tmp_path / "2" / "metrics.csv", process)
    for pid in writing_processes(tmp_path / "2" / "train.log"):
        os.kill(pid, signal.SIGKILL)
    code, out = finish(process)

    table = read_table(tmp_path)
    if launcher == "joblib":  # the lost job is started again, alone, and then it is not killed
        assert table["status"].tolist() == ["finished", "failed", "finished"], out
        assert "started again, one at a time" in out
    else:
        assert table["status"].tolist() == ["finished", "failed", "failed"], out
        assert reason in table["reason"][2]
    assert table["reason"][1].startswith("Invalid optimizer.lr=-1")
    assert code == 1
    assert "Traceback" not in out


@pytest.fixture
def slurm():
    """Return a function that builds the launcher for overrides."""
    register_plugins()

    def build(*overrides):
        import hydra
        from hydra.core.global_hydra import GlobalHydra

        from brain_tumor.config.conf_dir import CONF_DIR

        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            options = ["launcher=submitit_slurm", "hydra.sweep.dir=sweep", *overrides]
            cfg = hydra.compose("train", options, return_hydra_config=True)
            cfg.hydra.job.num, cfg.hydra.job.id, cfg.hydra.job.name = 0, "0", "train"
            HydraConfig.instance().set_config(cfg)
            context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=None)
            return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=None, config=cfg)

    return build


def script(launcher, tmp_path, monkeypatch):
    """Return the lines of the batch script that would be submitted, without a cluster."""
    from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

    monkeypatch.setattr(SlurmExecutor, "affinity", classmethod(lambda _: 1))
    monkeypatch.chdir(tmp_path)
    executor = launcher.executor()._executor
    lines = _make_sbatch_string(command="run", folder=executor.folder, map_count=6, **executor.parameters).splitlines()
    return [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]


def test_slurm_resources_follow_the_trainer(slurm, tmp_path, monkeypatch):
    launcher = slurm("trainer.devices=4", "hydra.launcher.partition=gpu", "hydra.launcher.timeout_min=90")
    lines = script(launcher, tmp_path, monkeypatch)
    for line in ("gpus-per-node=4", "ntasks-per-node=4", "nodes=1", "partition=gpu", "time=90", "array=0-5%6"):
        assert line in lines, lines


def test_a_queue_without_gpus(slurm, tmp_path, monkeypatch):
    lines = script(slurm("hydra.launcher.gpus_per_node=null"), tmp_path, monkeypatch)
    assert not [line for line in lines if line.startswith("gpu")]
    assert "ntasks-per-node=1" in lines


class TestForkingIsUnsafe:
    def test_on_another_platform(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        assert "darwin" in reason_not_to_fork()

    def test_with_a_gpu_in_use(self, monkeypatch):
        import torch

        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        assert "GPU" in reason_not_to_fork()

    def test_on_linux_without_a_gpu_it_is_safe(self):
        assert reason_not_to_fork() is None or sys.platform != "linux"


def test_n_jobs_is_checked():
    from brain_tumor.errors import ConfigError

    with pytest.raises(ConfigError, match=r"hydra\.launcher\.n_jobs=0"):
        ForkedLauncher(n_jobs=0)
