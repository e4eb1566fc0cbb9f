"""Run a verb's task under Hydra; a user's mistake ends with one sentence on stderr and exit code 2."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.cli.arguments import expand, flags_first, with_places
from brain_tumor.cli.help import print_help
from brain_tumor.cli.places import PLACES, refuse_unknown_flags
from brain_tumor.config.as_typed import as_typed
from brain_tumor.config.compose import check, explain
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.config.plugins import with_custom_options
from brain_tumor.config.renamed import with_new_names
from brain_tumor.config.sweep_keys import with_keys_per_job
from brain_tumor.errors import BrainTumorError, ConfigError, PreemptedError, SweepError
from brain_tumor.run_dir.record import in_use, refuse_taken
from brain_tumor.run_dir.resume import is_alive
from brain_tumor.training.distributed.world import outer_launcher, outer_rank
from brain_tumor.training.signals import stop_signals

_RUNS = ("train", "evaluate")
"""Verbs that write a run directory."""
USER_MISTAKE = 2
"""Exit code for a mistake that the user can correct."""


def run_app(verb: str, task: Callable[[DictConfig], object]) -> None:
    """Compose ``conf/<verb>.yaml`` with the command line and run a task on it: once, or per job of a sweep.

    Args:
        verb: Name of the verb and of its configuration.
        task: Function of the composed configuration; a sweep optimises the value that it returns.
    """
    try:
        with stop_signals():
            _run(verb, task)
    except PreemptedError as error:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends what Python and libraries do at exit
        _stop(verb, error)


def _run(verb: str, task: Callable[[DictConfig], object]) -> None:
    started = False

    def job(cfg: DictConfig) -> float | None:
        nonlocal started
        started = True
        hydra_cfg = HydraConfig.get()
        try:
            value = task(check(cfg, verb, hydra_cfg.overrides.task, hydra_cfg.runtime))
            return value if isinstance(value, float) else None
        except (Exception, SystemExit) as error:
            if hydra_cfg.mode == RunMode.MULTIRUN:
                from brain_tumor.sweeps.jobs import job_failure

                raise job_failure(error) from None  # the other jobs of the sweep run on
            if not isinstance(error, BrainTumorError | OmegaConfBaseException):
                raise
            _stop(verb, error)

    try:
        refuse_unknown_flags(verb, sys.argv[1:])
        given = with_places(sys.argv[1:], PLACES[verb]) if verb in PLACES else sys.argv[1:]
        arguments, started_in = expand(given)
        typed = as_typed(with_custom_options(with_new_names(arguments, verb)))
        sys.argv[1:] = flags_first(with_keys_per_job(typed))
        if started_in:
            os.chdir(started_in)  # its relative paths, and plug-ins that lie there
        if verb in _RUNS:
            _refuse_taken(sys.argv[1:])
    except BrainTumorError as error:
        _stop(verb, error)
    _under_another_launcher(verb)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors, instead of printing them and exiting with 1
    job.__module__ = f"brain_tumor.{verb}"
    try:
        if {"--help", "-h"} & set(sys.argv):
            print_help(verb, sys.argv[1:])
            return
        _register_launchers(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=verb)(job)()
    except BrokenPipeError:
        raise
    except SweepError as error:
        print(f"brain-tumor {verb}: {error}", file=sys.stderr)
        sys.exit(1)
    except (BrainTumorError, HydraException, OmegaConfBaseException, OSError) as error:
        _stop(verb, error)
    except ValueError as error:  # Hydra raises it for some invalid overrides; after the task has started it is a bug
        if started:
            raise
        _stop(verb, error)
    finally:
        GlobalHydra.instance().clear()


def _register_launchers(arguments: list[str]) -> None:
    # Hydra searches for plugins on this import, which takes a moment: not for `--help`
    from brain_tumor.sweeps.plugins import register_plugins, require_launcher

    require_launcher(arguments)
    register_plugins()


def _under_another_launcher(verb: str) -> None:
    """Keep ranks above 0 that torchrun or Slurm started from writing files, and refuse a sweep under either."""
    if outer_launcher() and {"-m", "--multirun"} & set(sys.argv):
        _stop(verb, ConfigError("A sweep cannot run under torchrun or srun; start it without, with trainer=ddp."))
    if outer_rank() > 0:
        folder = tempfile.mkdtemp(prefix="brain-tumor-rank-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        quiet = ["hydra.output_subdir=null", "hydra.job_logging.root.level=WARNING"]
        given = [argument for argument in sys.argv if argument.startswith("hydra.run.dir=")]
        run_dir = [given[-1].replace("hydra.run.dir", "paths.run_dir", 1)] if given else []  # to resume from
        sys.argv += [f"hydra.run.dir={folder}", *quiet, *run_dir]


def _refuse_taken(arguments: Sequence[str]) -> None:
    """Refuse a run directory that is taken before anything is composed or imported for the run.

    Raises:
        ConfigError: A run is in the directory that ``hydra.run.dir`` names, and nothing says what to do with it; or a
            single run is in that of ``hydra.sweep.dir``.
    """
    given = dict(argument.lstrip("+").partition("=")[::2] for argument in arguments if "=" in argument)
    is_sweep = bool({"-m", "--multirun"} & set(arguments))
    place = given.get("hydra.sweep.dir" if is_sweep else "hydra.run.dir", "").strip("'\"")
    runs_nothing = {"--help", "-h", "--cfg", "-c"} & set(arguments)
    if not place or "${" in place or runs_nothing or outer_rank() > 0:
        return
    run_dir = Path(place).expanduser()
    if is_sweep:
        if (run_dir / "run.json").is_file():
            raise ConfigError(f"{place} holds a single run; name another directory for the sweep: hydra.sweep.dir=DIR.")
        return
    if is_alive(run_dir):
        raise in_use(run_dir)
    resume = given.get("resume") == "auto"
    refuse_taken(run_dir, overwrite=resume or given.get("overwrite", "").lower() == "true")


def _stop(verb: str, error: BaseException) -> NoReturn:
    message = str(error) if isinstance(error, BrainTumorError | PreemptedError) else explain(error)
    print(f"brain-tumor {verb}: {message}", file=sys.stderr)
    sys.exit(getattr(error, "exit_code", USER_MISTAKE))
