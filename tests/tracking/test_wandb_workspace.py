"""The saved view of a wandb project: what it holds, and what is sent to a server."""

import json
import os
import subprocess
import sys

import pytest
from fake_server import closed_port, serving

from brain_tumor.tracking.wandb.workspace import Sweep, chosen_options, make_workspace

SWEEP = Sweep("ablation", ["model", "optimizer.lr", "seed"], "val/f1_macro")


def spec_of(view):
    return json.loads(view._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def sections_of(spec):
    return {section["name"]: section["panels"] for section in spec["section"]["panelBankConfig"]["sections"]}


def test_sections_lead_from_the_results_to_the_curves():
    spec = spec_of(make_workspace("p", "e"))

    names = list(sections_of(spec))
    assert [name.split(",")[0] for name in names] == [
        "How good",
        "What goes wrong",
        "Figures",
        "Training",
        "Speed",
    ]
    assert "test/errors" in json.dumps(sections_of(spec)[names[1]])
    assert all(panel["config"]["xAxis"] == "epoch" for panel in sections_of(spec)[names[3]])


def test_a_sweep_has_parallel_coordinates_of_its_settings():
    spec = spec_of(make_workspace("p", "e", SWEEP))

    coordinates, importance = sections_of(spec)["Sweep ablation: settings and results"]
    assert [column["accessor"] for column in coordinates["config"]["columns"]] == [
        "config:options.value.model",  # the chosen option, which each run logs: its configuration has the whole group
        "config:optimizer.value.lr",
        "config:seed.value",
        "summary:final/val/f1_macro",
    ]
    assert importance["config"]["targetKey"] == "final/val/f1_macro"
    [filtered] = spec["section"]["runSets"][0]["filters"]["filters"]
    assert (filtered["key"]["name"], filtered["op"], filtered["value"]) == ("group", "=", "ablation")


def test_options_are_those_of_config_groups():
    overrides = ["model=resnet18", "model.dropout=0.5", "+callbacks=ema", "seed=1", "~logger"]

    assert chosen_options(overrides) == {"model": "resnet18", "callbacks": "ema"}


def dashboard(arguments, tmp_path, address):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    settings = {"HOME": str(tmp_path), "WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": address}
    command = [sys.executable, "-m", "brain_tumor", "dashboard", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=inherited | settings)


@pytest.mark.slow
class TestTheVerb:
    def test_it_sends_the_view(self, tmp_path):
        with serving() as (address, server):
            done = dashboard(["p"], tmp_path, address)

        assert done.returncode == 0, done.stderr
        assert "How good, on test images: final/test/f1_macro" in done.stdout
        [sent] = server.views
        assert (sent["entityName"], sent["projectName"], sent["displayName"]) == ("e", "p", "brain-tumor")
        assert next(iter(sections_of(json.loads(sent["spec"])))) == "How good, on test images"
        assert "View saved" in done.stderr

    def test_a_refusal_is_one_sentence(self, tmp_path):
        with serving(status=403) as (address, server):
            done = dashboard(["p", "--entity", "e"], tmp_path, address)

        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "did not save the view of e/p" in done.stderr
        assert not server.views

    def test_a_dry_run_sends_nothing(self, tmp_path):
        done = dashboard(["p", "--dry-run"], tmp_path, closed_port())

        assert done.returncode == 0, done.stderr
        assert "Nothing was sent" in done.stdout

    def test_a_folder_without_a_sweep(self, tmp_path):
        done = dashboard(["p", "--dry-run", "--sweep", str(tmp_path)], tmp_path, closed_port())

        assert done.returncode == 2
        assert "is not the directory of a sweep" in done.stderr
