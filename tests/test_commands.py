"""Commands in the README and in help texts: each composes as it is written."""

import re
import shlex
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from brain_tumor.__main__ import HELP, VERBS
from brain_tumor.cli.arguments import with_places
from brain_tumor.cli.data import main as data_verb
from brain_tumor.cli.places import PLACES
from brain_tumor.config.compose import compose
from brain_tumor.config.conf_dir import CONF_DIR

ROOT = Path(__file__).parents[1]
COMMAND = re.compile(rf"brain-tumor ({'|'.join(VERBS)})(?=[ `\n])[^\n]*")


def commands(text):
    """Commands in a text, without comments and without explanations that follow two spaces."""
    joined = text.replace("\\\n", " ")
    for found in COMMAND.finditer(joined):
        line = re.split(r"\s#|`|  +(?=\S)(?![a-z_.]+=)", found[0])[0].strip()
        if (
            len(line.split()) > 2
            and "…" not in line
            and "--" not in line.removesuffix("--help").replace("--multirun", "")
        ):
            yield line


def texts():
    yield "README.md", (ROOT / "README.md").read_text(encoding="utf-8")
    yield "help", HELP
    for path in sorted((CONF_DIR / "hydra").glob("*.yaml")):
        yield path.name, path.read_text(encoding="utf-8")


CASES = list(dict.fromkeys(line for _, text in texts() for line in commands(text)))


def jobs(overrides):
    """Overrides of the fewest jobs of a sweep that have all listed values."""
    choices = []
    for override in overrides:
        key, _, value = override.partition("=")
        if found := re.fullmatch(r"range\((\d+)\)", value):
            value = ",".join(map(str, range(int(found[1]))))
        listed = value.split(",") if "," in value and not value.startswith(("[", "{", "'", '"')) else [value]
        choices.append([f"{key}={each}" for each in listed])
    number = max(map(len, choices), default=1)
    return [[values[min(job, len(values) - 1)] for values in choices] for job in range(number)]


def test_there_are_commands():
    assert len(CASES) > 35
    assert {line.split()[1] for line in CASES} == set(VERBS) - {
        "models",
        "dashboard",
        "doctor",
    }  # which have no overrides


@pytest.mark.parametrize("line", CASES)
def test_command_composes(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    users_package = ModuleType("mylab")
    users_package.__spec__ = ModuleSpec("mylab", None)
    monkeypatch.setitem(sys.modules, "mylab", users_package)
    _, verb, *arguments = shlex.split(line)
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    if verb in ("init", "models", "dashboard", "doctor"):
        return  # their own tests call them
    if verb == "data":
        with pytest.raises(SystemExit) as stop:
            data_verb([*arguments, "--help"])
        assert stop.value.code == 0
        return
    if "--help" in arguments:
        return  # tests/test_package.py reads them
    if verb in PLACES:
        overrides = with_places(overrides, PLACES[verb])
    own = [override for override in overrides if not override.startswith(("hydra.", "resume=", "launcher="))]
    for job in jobs(own):
        compose(job, tmp_path / "run", verb)
