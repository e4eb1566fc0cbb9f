"""The command line: ``brain-tumor <verb>``; each verb is a module of its own, imported only when it is called."""

import importlib
import os
import sys

from brain_tumor import __version__

VERBS = {"train": "train a classifier and evaluate its best weights"}

HELP = f"""brain-tumor {__version__}: honest brain tumour detection and classification on MRI slices.
Research use only; not a medical device.

usage: brain-tumor <verb> [GROUP=OPTION] [KEY=VALUE] …

verbs:
{chr(10).join(f"  {verb:<10} {what}" for verb, what in VERBS.items())}

examples:
  brain-tumor train                                        own CNN on generated phantoms
  brain-tumor train data=folder data.root=DIR              your folder of class folders
  brain-tumor train data=manifest data.manifest=CSV        your CSV with path and label columns
  brain-tumor train --help                                 all choices and keys
"""


def main() -> None:
    """Call the verb that the command line names; exits with 2 if it names none."""
    match sys.argv[1:]:
        case [] | ["-h" | "--help" | "help", *_]:
            print(HELP, end="")
        case ["--version", *_]:
            print(__version__)
        case [verb, *arguments] if verb in VERBS:
            sys.argv = [f"brain-tumor {verb}", *arguments]
            _call(verb)
        case [verb, *_]:
            print(f"brain-tumor: there is no verb {verb!r}; verbs are {', '.join(VERBS)}.", file=sys.stderr)
            sys.exit(2)


def _call(verb: str) -> None:
    try:
        importlib.import_module(f"brain_tumor.{verb}").main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what is left to print must not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
