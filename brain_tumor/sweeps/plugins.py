"""Register this package's launchers and sweepers with Hydra."""

import importlib.util

from hydra.core.plugins import Plugins

from brain_tumor.errors import ConfigError

LAUNCHER_PACKAGES = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "ray": ("hydra_plugins.hydra_ray_launcher", None),
}
"""``launcher=NAME`` → the package that it needs, and the extra of ``brain-tumor`` that installs it, if there is one."""


def register_plugins() -> None:
    """Make ``hydra.launcher`` and ``hydra.sweeper`` accept the launchers and sweepers of this package."""
    from brain_tumor.sweeps.forked_launcher import ForkedLauncher
    from brain_tumor.sweeps.grid_sweeper import GridSweeper
    from brain_tumor.sweeps.optuna_sweeper import OptunaSweeper

    plugins = Plugins.instance()
    plugins.is_in_toplevel_plugins_module = _is_plugin  # type: ignore[method-assign]
    for plugin in (ForkedLauncher, GridSweeper, OptunaSweeper, *_submitit_launchers()):
        plugins.register(plugin)


def require_launcher(arguments: list[str]) -> None:
    """Check that the launcher named on the command line is installed: Hydra's own message for this is a page long.

    Raises:
        ConfigError: The launcher needs a package that is not installed.
    """
    for argument in arguments:
        key, _, name = argument.partition("=")
        if key in ("launcher", "hydra/launcher") and name in LAUNCHER_PACKAGES:
            module, extra = LAUNCHER_PACKAGES[name]
            if not _is_installed(module):
                package = f"'brain-tumor[{extra}]'" if extra else module.rpartition(".")[2].replace("_", "-")
                raise ConfigError(f"{argument} needs a package that is not installed: pip install {package}")


def _is_plugin(clazz: str) -> bool:
    """Accept classes of this package: Hydra itself only accepts those of a top-level package ``hydra_plugins``."""
    return clazz.startswith("brain_tumor.sweeps.") or Plugins.is_in_toplevel_plugins_module(clazz)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # no installed package provides hydra_plugins
        return False


def _submitit_launchers() -> list[type]:
    if not _is_installed(LAUNCHER_PACKAGES["submitit_local"][0]):
        return []
    from brain_tumor.sweeps.submitit_launchers import LocalLauncher, SlurmLauncher

    return [LocalLauncher, SlurmLauncher]
