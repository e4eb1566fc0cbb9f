"""Sweeps that are stopped, killed or started again."""

import json
import os
import signal
import time

import pytest
from sweep_commands import finish, is_alive, read_table, start, sweep, wait_for, writing_processes

SHORT = "trainer.max_epochs=1"


@pytest.mark.long
class TestEnding:
    def test_runs_of_an_earlier_sweep_are_kept(self, flat_folder, tmp_path):
        assert sweep(flat_folder, tmp_path, SHORT, "seed=0", "debug=fast")[0] == 0
        before = (tmp_path / "0" / "run.json").read_text()

        code, out = sweep(flat_folder, tmp_path, SHORT, "seed=0,1", "debug=fast")

        assert code == 2
        assert "overwrite=true" in out
        assert (tmp_path / "0" / "run.json").read_text() == before
        code, out = sweep(flat_folder, tmp_path, SHORT, "seed=1", "overwrite=true", "data.root=/no/such")
        assert code == 1, out  # no result of the earlier run passes for one of this sweep
        assert read_table(tmp_path)["status"].tolist() == ["failed"]
        assert not (tmp_path / "0" / "results.json").exists()

    @pytest.mark.parametrize(
        ("launcher", "how"),
        [
            ("forked", signal.SIGTERM),
            ("forked", signal.SIGINT),
            ("basic", signal.SIGTERM),
            ("basic", signal.SIGINT),
            ("joblib", signal.SIGINT),
        ],
    )
    def test_a_stopped_sweep_stops_its_jobs_and_writes_its_summary(self, launcher, how, flat_folder, tmp_path):
        """A terminal sends SIGINT to all processes of the command, a cluster SIGTERM to the first one."""
        options = [f"hydra/launcher={launcher}", *(["hydra.launcher.n_jobs=1"] if launcher == "joblib" else [])]
        process = start(flat_folder, tmp_path, *options, "trainer.max_epochs=1,2000,2001", "seed=0")
        wait_for(tmp_path / "1" / "checkpoints" / "last.ckpt", process)
        jobs = writing_processes(tmp_path / "1" / "train.log")
        (os.kill if how == signal.SIGTERM else os.killpg)(process.pid, how)
        code, out = finish(process, timeout=600)

        assert code == 128 + how, out
        assert not [job for job in jobs if is_alive(job)]
        table = read_table(tmp_path)
        assert table["status"].tolist() == ["finished", "preempted", "waiting"], out
        assert json.loads((tmp_path / "sweep.json").read_text())["status"] == "stopped"
        assert "Traceback" not in out
        assert "3 jobs: " in out
        name = "Ctrl-C (SIGINT)" if how == signal.SIGINT else "SIGTERM"
        last = f"brain-tumor train: Stopped by {name}; brain-tumor train resume={tmp_path} continues it."
        assert out.splitlines()[-1] == last
        assert out.count("brain-tumor train: Stopped by") == 1

    def test_a_second_ctrl_c_ends_a_sweep_and_its_jobs_at_once(self, flat_folder, tmp_path):
        process = start(flat_folder, tmp_path, "hydra.launcher.n_jobs=2", "trainer.max_epochs=2000,2001", "seed=0")
        for number in "01":
            wait_for(tmp_path / number / "metrics.csv", process)
        jobs = [job for number in "01" for job in writing_processes(tmp_path / number / "train.log")]
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)  # two that wait to be handled are one
        _, out = finish(process)

        assert process.returncode in (130, -signal.SIGINT), out
        assert not [job for job in jobs if is_alive(job)]
        assert "Traceback" not in out

    def test_jobs_of_a_killed_sweep_end(self, flat_folder, tmp_path):
        process = start(flat_folder, tmp_path, "trainer.max_epochs=1,2000", "seed=0")
        wait_for(tmp_path / "1" / "metrics.csv", process)
        (job,) = writing_processes(tmp_path / "1" / "train.log")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=600)  # returns when no process of the sweep has its output open

        assert not is_alive(job)
        assert read_table(tmp_path)["status"][0] == "finished"  # the summary was written after that job
        assert (tmp_path / "sweep.html").is_file()
