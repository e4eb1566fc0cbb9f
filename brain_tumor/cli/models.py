"""``brain-tumor models``: networks to train, their size, and whether their weights are on this machine."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rich.table import Table

from brain_tumor.cli.terminal import console
from brain_tumor.config.compose import compose
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.errors import BrainTumorError, ConfigError

_MOST = 60
"""Largest number of networks that are listed; each has to be built to count its parameters."""
_CLASSES = 4
"""Number of classes behind the numbers of parameters."""
_EXAMPLES = """examples:
  brain-tumor models                        networks that have a name of their own here
  brain-tumor models mobilenet              all of timm's whose name holds these letters
  brain-tumor models 'convnext_*'           … or matches this pattern
  brain-tumor models resnet --weights DIR   are their weights in this folder?
"""


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a network before it is trained."""

    option: str
    """What to write on the command line: ``model=resnet18``."""
    parameters: int
    """Number of parameters for four classes."""
    pretrained_size: int | None
    """Side of the ImageNet images that its weights were trained on, pixels; None without such weights."""
    weights: str
    """Where its weights are: ``from scratch``, ``on this machine``, ``in DIR``, or ``download``."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb; exits with 2 if no network has such a name."""
    parser = argparse.ArgumentParser(
        prog="brain-tumor models",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pattern", nargs="?", help="part of the name of a timm network, or a pattern with *")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="folder that may hold NAME.safetensors")
    asked = parser.parse_args(arguments)
    try:
        options, more = _named(asked.pattern) if asked.pattern else (_own_options(), 0)
    except BrainTumorError as error:
        print(f"brain-tumor models: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    console().print(models_table(facts_of(options, asked.weights)))
    if more:
        print(f"\n{more} more match; narrow the pattern.")
    print("\nbrain-tumor train MODEL data=folder data.root=DIR trains one; --multirun model=A,B compares several.")
    if not asked.pattern:
        print("brain-tumor models PATTERN lists timm's other networks.")


def facts_of(options: Iterable[str], folder: Path | None = None) -> Iterator[ModelFacts]:
    """Describe networks; nothing is downloaded, and no memory is taken for their parameters.

    Args:
        options: Overrides that choose one each: ``model=resnet18``, or ``model=timm model.name=resnet34``.
        folder: Folder that may hold their weights, as ``NAME.safetensors``.
    """
    import timm
    import torch

    from brain_tumor.config.instantiate import build

    for option in options:
        cfg = compose(option.split())
        name = cfg.model.get("name")
        if name:
            cfg.model.pretrained = False
        with torch.device("meta"):
            network = build(cfg.model, "model", num_classes=_CLASSES)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        pretrained = timm.get_pretrained_cfg(name) if name else None
        if pretrained is None or not pretrained.has_weights:
            yield ModelFacts(option, parameters, None, "from scratch")
        else:
            yield ModelFacts(option, parameters, pretrained.input_size[-1], _place(name, pretrained.hf_hub_id, folder))


def _place(name: str, repository: str | None, folder: Path | None) -> str:
    from huggingface_hub import try_to_load_from_cache

    if folder is not None and (folder.expanduser() / f"{name}.safetensors").is_file():
        return f"in {folder}"
    files = ("model.safetensors", "pytorch_model.bin")
    cached = repository and any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
    return "on this machine" if cached else "download"


def _own_options() -> list[str]:
    """Options of the group ``model`` that name a network."""
    files = sorted((CONF_DIR / "model").glob("*.yaml"))
    return [f"model={file.stem}" for file in files if file.stem not in ("custom", "hub", "timm")]


def _named(pattern: str) -> tuple[list[str], int]:
    """Return options of timm's networks that match a pattern, and how many more there are.

    Raises:
        ConfigError: None matches.
    """
    import timm

    wanted = pattern.lower() if "*" in pattern or "?" in pattern else f"*{pattern.lower()}*"
    names = [name for name in timm.list_models() if fnmatch(name, wanted)]
    if not names:
        raise ConfigError(
            f"No network of timm has a name like {pattern!r}; try a part of it, as in brain-tumor models resnet."
        )
    return [f"model=timm model.name={name}" for name in names[:_MOST]], max(0, len(names) - _MOST)


def models_table(models: Iterable[ModelFacts]) -> Table:
    """Return a table of networks, one row each."""
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "parameters", "ImageNet size", "ImageNet weights"):
        table.add_column(heading, justify="right" if heading in ("parameters", "ImageNet size") else "left")
    for facts in models:
        size = "" if facts.pretrained_size is None else f"{facts.pretrained_size} px"
        table.add_row(facts.option, f"{facts.parameters / 1e6:.1f} M", size, facts.weights)
    return table


if __name__ == "__main__":
    main()
