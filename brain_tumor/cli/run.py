"""Run a verb under Hydra, or without it where only models are served and it is not installed."""

from collections.abc import Callable

from omegaconf import DictConfig


def run_app(verb: str, task: Callable[[DictConfig], object]) -> None:
    """Run a verb's task on its configuration, see `brain_tumor.cli.app.run_app`.

    Args:
        verb: Name of the verb and of its configuration.
        task: Function of the configuration.
    """
    try:
        import hydra  # noqa: F401
    except ImportError:
        from brain_tumor.cli.without_hydra import run_app as run
    else:
        from brain_tumor.cli.app import run_app as run
    run(verb, task)
