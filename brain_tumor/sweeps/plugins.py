"""Make Hydra know this package's launchers and sweepers."""

import importlib.util

from hydra.core.plugins import Plugins

from brain_tumor.errors import ConfigError

EXTRAS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "ray": ("hydra_plugins.hydra_ray_launcher", None),
}
"""``launcher=NAME`` → the package that it needs, and the extra of ours that brings it."""


def register_plugins() -> None:
    """Register what ``hydra.launcher`` and ``hydra.sweeper`` may name of this package."""
    from brain_tumor.sweeps.fork import ForkedLauncher
    from brain_tumor.sweeps.grid import GridSweeper
    from brain_tumor.sweeps.optuna_sweeper import StudySweeper

    plugins = Plugins.instance()
    plugins.is_in_toplevel_plugins_module = _is_plugin  # type: ignore[method-assign]
    for plugin in (ForkedLauncher, GridSweeper, StudySweeper, *_submitit()):
        plugins.register(plugin)


def _is_plugin(clazz: str) -> bool:
    """Hydra takes plugins from the package ``hydra_plugins`` only, which a project's own tree would have to hold."""
    return clazz.startswith("brain_tumor.sweeps.") or Plugins.is_in_toplevel_plugins_module(clazz)


def require_launcher(arguments: list[str]) -> None:
    """Say what is missing before Hydra says it in a page.

    Raises:
        ConfigError: The command line names a launcher that is not installed.
    """
    for argument in arguments:
        key, _, name = argument.partition("=")
        if key in ("launcher", "hydra/launcher") and name in EXTRAS:
            package, extra = EXTRAS[name]
            if not _is_installed(package):
                wanted = f"'brain-tumor[{extra}]'" if extra else package.rpartition(".")[2].replace("_", "-")
                raise ConfigError(f"{argument} needs a package that is not installed: pip install {wanted}")


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # nobody has brought a hydra_plugins yet
        return False


def _submitit() -> list[type]:
    if not _is_installed(EXTRAS["submitit_local"][0]):
        return []
    from brain_tumor.sweeps.submitit_launchers import LocalLauncher, SlurmLauncher

    return [LocalLauncher, SlurmLauncher]
