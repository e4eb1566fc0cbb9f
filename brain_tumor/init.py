"""``brain-tumor init DIR``: audit a data set, propose how to train on it on this machine, and write it down.

From Python::

    from brain_tumor.init import init

    init("scans").commands  # what to run next
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from brain_tumor import CAUTION
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.errors import BrainTumorError, ConfigError, PreemptedError
from brain_tumor.training.signals import stop_signals

if TYPE_CHECKING:
    from brain_tumor.pipelines.proposal import Choice

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_GROUPS = ("data", "split", "localizer")
"""Groups that are overridden in the file; ``experiment`` is included, and all else are keys."""


@dataclass(frozen=True)
class Proposal:
    """How to train on a data set."""

    file: Path
    """Configuration that was written."""
    choices: "list[Choice]"
    """Settings in it, with their reasons."""
    commands: list[str]
    """Commands to run next."""


def init(
    place: str | Path,
    name: str | None = None,
    weights: str | Path | None = None,
    conf: str | Path | None = None,
    *,
    overwrite: bool = False,
) -> Proposal:
    """Audit a data set, and write ``conf/local/NAME.yaml``, which ``brain-tumor train local=NAME`` reads.

    Args:
        place: Folder of images, or a CSV file with ``path`` and ``label``.
        name: Name of the file; None takes that of the folder.
        weights: Folder that holds ImageNet weights as ``NAME.safetensors``; None downloads them.
        conf: Folder of configurations of one's own, for ``--config-dir``; None takes that of a checkout, or of an
            installed package ``conf`` in the current folder.
        overwrite: Whether the file may be replaced.

    Raises:
        BrainTumorError: The data cannot be read, or the file is there already or cannot be written.
    """
    from brain_tumor.cli.models import facts_of  # imports torch: only once there is something to do
    from brain_tumor.models.hub import why_unreachable
    from brain_tumor.pipelines import proposal

    place, folder = Path(place), Path(weights) if weights else None
    name = name or re.sub(r"[^a-z0-9]+", "-", place.expanduser().absolute().stem.lower()).strip("-") or "data"
    is_installed = CONF_DIR.parent == Path(__file__).parent
    own = Path(conf) if conf else Path("conf") if is_installed else None
    file = _file((own or CONF_DIR) / "local", name, overwrite=overwrite)
    data = proposal.data_choices(place)
    run_dir = Path("runs", f"{name}-audit")
    document, samples, published = proposal.audited(data, run_dir)
    (model,) = facts_of(["model=mobilenetv2"], folder)
    if folder is not None and model.weights != f"in {folder}":
        raise ConfigError(f"{folder} holds no mobilenetv2_100.safetensors; put it there, or leave --weights out.")
    reachable = model.weights != "download" or why_unreachable("https://huggingface.co") is None
    choices = [
        *data,
        *proposal.audit_choices(document, samples, published),
        *proposal.machine_choices(folder, reachable=reachable),
    ]
    images = (samples["split"] == "train").sum()
    if _value(choices, "data.copies"):
        images *= document["counts"]["distinct_images"] / document["counts"]["readable"]
    minutes = proposal.expected_minutes(_value(choices, "experiment"), int(images))
    flag = f"--config-dir {own} " if own else ""
    commands = _commands(f"brain-tumor train {flag}local={name}", name, choices, minutes)
    _write(file, place, choices, commands)
    return Proposal(file, choices, commands)


def _file(folder: Path, name: str, *, overwrite: bool) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"Invalid --name {name}: expected lower-case letters, digits, - and _, such as my-scans.")
    file = folder.absolute() / f"{name}.yaml"
    if file.exists() and not overwrite:
        raise ConfigError(f"{file} is there already; choose another --name, or replace it with --overwrite.")
    return file


def _value(choices: "Sequence[Choice]", key: str) -> str:
    return next((choice.value for choice in choices if choice.key == key), "")


def _commands(train: str, name: str, choices: "Sequence[Choice]", minutes: float) -> list[str]:
    several = (
        "model=mobilenetv2,resnet18" if _value(choices, "experiment") == "transfer" else "augmentation=light,medium"
    )
    duration = f"{max(2, round(minutes))} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    return [
        f"{train} hydra.run.dir=runs/{name}  # about {duration} on this machine",
        f"{train} --multirun split.tuning=true {several} hydra.sweep.dir=runs/{name}-sweep",
        f"brain-tumor compare runs/{name}-sweep format=latex",
    ]


def _write(file: Path, place: Path, choices: "Sequence[Choice]", commands: Sequence[str]) -> None:
    from brain_tumor.run_dir.atomic import published_file

    lines = [
        "# @package _global_",
        f"# How to train on {place.name}, as brain-tumor init proposed on {date.today()}. Change what you like.",
        *(f"#   {command}" for command in commands),
        "defaults:",
        *(f"  - /experiment/{each.value} # {each.reason}" for each in choices if each.key == "experiment"),
        *(f"  - override /{each.key}: {each.value} # {each.reason}" for each in choices if each.key in _GROUPS),
        "  - _self_",
    ]
    sections: dict[str, list[str]] = {}
    for choice in choices:
        if choice.key not in (*_GROUPS, "experiment"):
            section, key = choice.key.split(".")
            sections.setdefault(section, []).append(f"  {key}: {_as_yaml(choice.value)} # {choice.reason}")
    lines += [line for section, keys in sections.items() for line in (f"{section}:", *keys)]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with published_file(file) as draft:
            draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written ({error}); run init in a folder that you may write to.") from error


def _as_yaml(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z0-9_./-]+", value) else f"'{value.replace(chr(39), chr(39) * 2)}'"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb from the command line; without a folder it asks for one."""
    parser = argparse.ArgumentParser(
        prog="brain-tumor init",
        description="Audit a data set, propose split, model and batch size for this machine, with reasons, and write "
        "them to conf/local/NAME.yaml.",
        epilog="example: brain-tumor init scans --name my-scans",
    )
    parser.add_argument("place", nargs="?", help="folder of images in class folders, or a CSV file with path and label")
    parser.add_argument("--name", help="name of the configuration; default: that of the folder")
    parser.add_argument("--weights", metavar="DIR", help="folder of ImageNet weights, mobilenetv2_100.safetensors")
    parser.add_argument(
        "--conf", metavar="DIR", help="write DIR/local/NAME.yaml, for brain-tumor train --config-dir DIR"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a configuration of this name")
    asked = parser.parse_args(arguments)
    place = asked.place or _ask()
    try:
        with stop_signals():
            proposal = init(place, asked.name, asked.weights, asked.conf, overwrite=asked.overwrite)
    except (BrainTumorError, PreemptedError) as error:
        print(f"brain-tumor init: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    _show(proposal)


def _ask() -> str:
    if not sys.stdin.isatty():
        print("brain-tumor init: name a folder: brain-tumor init DIR", file=sys.stderr)
        sys.exit(2)
    return input("Folder of images (class folders in it), or CSV file with path and label: ").strip()


def _show(proposal: Proposal) -> None:
    print("\nProposed:")
    for choice in proposal.choices:
        print(f"  {choice.key}={choice.value}")
        print(textwrap.indent(textwrap.fill(choice.reason, 100), "      "))
    print(f"\nWritten to {proposal.file}. {CAUTION}\n\nNext:")
    for command in proposal.commands:
        print(f"  {command}")


if __name__ == "__main__":
    main()
