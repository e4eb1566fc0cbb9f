"""The command line: ``brain-tumor <verb>``; each verb is a module that is imported only when it is called."""

import importlib
import os
import signal
import sys
from difflib import get_close_matches

from brain_tumor import CAUTION, __version__
from brain_tumor.errors import PreemptedError

VERBS = {
    "init": "audit a folder of images, and propose how to train on it here",
    "train": "train a classifier and evaluate its best weights",
    "evaluate": "evaluate a frozen model or a predictions table",
    "audit": "find duplicates, leakage and shortcuts in a data set",
    "export": "export a model to a faster engine, with checks",
    "predict": "classify images with a trained model",
    "serve": "answer requests over HTTP, and show answers on a page",
    "push": "send a model to the Hugging Face hub",
    "compare": "rank runs with intervals and tests; accept or reject a candidate",
    "data": "list, fetch and check the public data sets",
    "models": "list networks, their size, and whether their weights are here",
    "dashboard": "save a view of a wandb project, or of a sweep in it",
    "doctor": "check versions, devices, memory, disk and servers",
}

_MODULES = {verb: f"brain_tumor.cli.{verb}" for verb in ("data", "models", "dashboard", "doctor")}
"""Modules of verbs that are not ``brain_tumor.<verb>``: they run no pipeline, or a package has that name."""

HELP = f"""brain-tumor {__version__}: honest detection and classification of brain tumours on MRI.
{CAUTION}

usage: brain-tumor <verb> [GROUP=OPTION] [KEY=VALUE] …

verbs:
{chr(10).join(f"  {verb:<10} {what}" for verb, what in VERBS.items())}

examples:
  brain-tumor init DIR                  the first step with your own images
  brain-tumor train                     small CNN on generated phantoms
  brain-tumor train data=folder data.root=DIR
  brain-tumor train data=manifest data.manifest=CSV
  brain-tumor train --help              all groups and keys
  brain-tumor evaluate run=RUN          a run on its own test
  brain-tumor evaluate run=RUN data=folder data.root=DIR
  brain-tumor audit data=folder data.root=DIR
  brain-tumor predict bundle=RUN scans  classify files, volumes, folders
  brain-tumor serve bundle=RUN          answers over HTTP, and a page for people
  brain-tumor export bundle=RUN         the same model in ONNX Runtime
  brain-tumor compare RUN RUN           which is better? is it significant?
  brain-tumor data list                 public data sets, and what leaks in them

completion by the Tab key, in bash and zsh (after bashcompinit):
  eval "$(brain-tumor -sc install=bash)"
in fish:
  brain-tumor -sc install=fish | source
"""


def main() -> None:
    """Call the verb that the command line names; exits with 2 if it names none."""
    match sys.argv[1:]:
        case [] | ["-h" | "--help" | "help", *_]:
            print(HELP, end="")
        case ["--version", *_]:
            print(__version__)
        case [*arguments] if {"-sc", "--shell-completion"} & set(arguments):
            from brain_tumor.cli.completion import complete

            complete(arguments, [*VERBS])
        case [verb, *arguments] if verb in VERBS:
            sys.argv = [f"brain-tumor {verb}", *arguments]
            _call(verb)
        case [verb, *_]:
            hint = f" Did you mean {close[0]}?" if (close := get_close_matches(verb, VERBS, n=1)) else ""
            print(f"brain-tumor: there is no verb {verb!r}; verbs are {', '.join(VERBS)}.{hint}", file=sys.stderr)
            sys.exit(2)


def _call(verb: str) -> None:
    try:
        importlib.import_module(_MODULES.get(verb, f"brain_tumor.{verb}")).main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what is left to print must not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:  # before the verb, which is still imported, handles it
        print(f"brain-tumor {verb}: {PreemptedError(signal.SIGINT)}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
