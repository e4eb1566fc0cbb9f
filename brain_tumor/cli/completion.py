"""Complete verbs, groups, options and keys in a shell that has read what ``brain-tumor -sc install=SHELL`` prints."""

import importlib
import os
import sys
from collections.abc import Collection, Sequence

from brain_tumor.cli.arguments import with_places
from brain_tumor.data.public.registry import SETS

_DATA: dict[str, Collection[str]] = {"list": SETS, "fetch": SETS, "check": (), "cache": ()}
"""Commands of ``brain-tumor data`` and the names that may follow."""


def complete(arguments: Sequence[str], verbs: Sequence[str]) -> None:
    """Print the script that a shell reads (``install=bash``), or the completions of its line (``query=bash``).

    Of a query nothing else is printed, whatever is wrong with the line: it would be printed into the prompt.

    Args:
        arguments: Command line.
        verbs: Names of all verbs.
    """
    command = [argument for argument in arguments if "=" in argument]
    if not any(argument.startswith("query=") for argument in command):
        _run_hydra("train", command)
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    line = os.environ.get("COMP_LINE", "")
    words = line.split()[1:]
    if not words or line.endswith(" "):
        words.append("")
    match words:
        case [word]:
            _print(verbs, word)
        case ["data", word]:
            _print(_DATA, word)
        case ["data", command_of_data, *_, word]:
            _print(_DATA.get(command_of_data, ()), word)
        case ["init" | "models" | "dashboard" | "doctor", *_]:
            pass
        case [verb, *before, word] if verb in verbs:
            os.environ["COMP_LINE"] = " ".join(["brain-tumor", *with_places(before, "runs"), word])
            try:
                _run_hydra(verb, command)
            except (Exception, SystemExit):  # Hydra raises errors of many types for a line that is not complete yet
                sys.exit(0)


def _print(names: Collection[str], word: str) -> None:
    print("\n".join(name for name in names if name.startswith(word)))


def _run_hydra(verb: str, command: Sequence[str]) -> None:
    sys.argv = ["brain-tumor", "-sc", *command]  # the name that the script completes
    importlib.import_module(f"brain_tumor.{verb}").main()
