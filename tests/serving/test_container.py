"""The container: what it installs is pinned and enough to serve; its steps are run in a virtual environment."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml
from factories import save
from serving.service_files import Load, server

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / ".github" / "container"


def names(lines):
    return [re.split(r"[<>=~\[ ;]", line)[0].lower() for line in lines if line and not line.startswith("#")]


REQUIRED = names((CONTAINER / "requirements.txt").read_text().splitlines())


def test_requirements_are_those_of_the_package_and_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ours = names([*project["dependencies"], *extras["serve"], *extras["onnx"]])

    assert set(REQUIRED) <= set(ours)
    assert set(names(extras["serve"])) <= set(REQUIRED)
    assert set(REQUIRED) <= set(names((ROOT / ".ci" / "constraints.txt").read_text().splitlines()))
    assert sorted(REQUIRED) == REQUIRED


def test_the_dockerfile_copies_what_exists():
    text = (CONTAINER / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for name in line.split()]

    assert copied
    assert all((ROOT / name).exists() for name in copied), copied
    assert "USER 10001" in text
    assert "HEALTHCHECK" in text


def test_compose_starts_a_server_that_prometheus_asks():
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    scraped = yaml.safe_load((CONTAINER / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]

    assert services["brain-tumor"]["read_only"]
    assert scraped == [{"targets": ["brain-tumor:8000"]}]
    assert (ROOT / services["brain-tumor"]["build"]["dockerfile"]).is_file()


@pytest.mark.long
def test_its_environment_serves_and_predicts(exported, tmp_path):
    """The steps of the Dockerfile, in a virtual environment: at most 530 MB, without torch and Hydra."""
    uv = shutil.which("uv", path=f"{ROOT / '.venv' / 'bin'}:{Path(sys.executable).parent}:/usr/bin")
    if uv is None:
        pytest.skip("needs uv")
    place = tmp_path / "environment"
    python = place / "bin" / "python"
    install = [uv, "pip", "install", "-q", "--python", python, "--link-mode=copy"]
    for command in (
        [uv, "venv", "-q", place],
        [*install, "-r", CONTAINER / "requirements.txt", "-c", ROOT / ".ci" / "constraints.txt"],
        [*install, "--no-deps", ROOT],
    ):
        subprocess.run(command, check=True, timeout=600)
    for folder in place.rglob("tests"):
        shutil.rmtree(folder)
    seen = {file.stat().st_ino: file.stat().st_size for file in place.rglob("*") if file.is_file()}
    assert sum(seen.values()) < 530e6
    absent = ("torch", "hydra", "lightning", "sklearn", "scipy")
    assert not [name for name in absent if list(place.rglob(f"site-packages/{name}/__init__.py"))]

    scan = save(tmp_path / "a.png", "glioma", 1)
    verb = place / "bin" / "brain-tumor"
    subprocess.run([verb, "predict", f"bundle={exported}", scan, "output=a.csv"], cwd=tmp_path, check=True, timeout=120)
    assert len(pd.read_csv(tmp_path / "a.csv")) == 1
    with server(verb, "serve", f"bundle={exported}", "port=0") as (_, address):
        load = Load(address, scan.read_bytes(), clients=1)
        load.wait_for(3)
        load.end()
        assert set(load.statuses) == {200}
