"""A saved view of a wandb project that reads from the result to its causes: how good, what goes wrong, how trained."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.errors import ConfigError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

NAME = "brain-tumor"
"""Name of the view; that of a sweep has the sweep's name behind it."""
HEADLINE = "final/test/f1_macro"
_RESULTS = (HEADLINE, "final/test/accuracy", "final/test/auroc", "final/test/detection/auroc", "final/test/ece")
_PER_EPOCH = ("val/f1_macro", "val/accuracy", "val/auroc", "val/loss", "train/loss", "lr")
_SPEED = ("speed/samples_per_second", "speed/data_wait")
_FIGURES = ("confusion_matrix", "localization", "reliability", "roc", "pr", "risk_coverage")


@dataclass(frozen=True)
class Sweep:
    """What a view needs to know about a sweep."""

    group: str
    """Group of its runs in wandb: the name of its directory."""
    keys: Sequence[str]
    """Keys and config groups that its jobs differ in."""
    metric: str
    """Metric per epoch that ranks its jobs: ``val/f1_macro``."""


def make_workspace(
    project: str, entity: str | None = None, sweep: Sweep | None = None, *, offline: bool = False
) -> "Workspace":
    """Lay out a view of a project; nothing is sent.

    Its sections are, from top to bottom: the test results of all runs; for a sweep, parallel coordinates of its
    settings and their importance; the table of errors with their maps; the figures; the curves per epoch; the speed.
    What else a run logs follows in sections that wandb makes itself.

    Args:
        project: Name of the project.
        entity: User or team that owns it; None asks wandb for that of the API key.
        sweep: Sweep that the view shows, and no other run; None shows all runs.
        offline: Whether to ask nobody: without an entity the view cannot be saved then.

    Raises:
        ConfigError: A package is not installed, or wandb does not tell the entity.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        from wandb_workspaces import workspaces
        from wandb_workspaces.expr import And, Metric
    except ImportError as error:
        raise ConfigError(
            f"The dashboard needs {error.name}, which is not installed: pip install 'brain-tumor[wandb]'."
        ) from error
    if entity is None:
        entity = "" if offline else _own_entity()
    errors = [panels.WeavePanelSummaryTable(table_name="test/errors", layout=panels.Layout(w=24, h=12))]
    figures = [panels.MediaBrowser(title=name, media_keys=[f"figures/{name}"]) for name in _FIGURES]
    sections = {
        "How good, on test images": [panels.BarPlot(title=name, metrics=[name]) for name in _RESULTS],
        **({f"Sweep {sweep.group}: settings and results": _sweep_panels(sweep)} if sweep else {}),
        "What goes wrong, most confident errors first": errors,
        "Figures": figures,
        "Training, per epoch": [panels.LinePlot(title=name, x="epoch", y=[name]) for name in _PER_EPOCH],
        "Speed": [panels.LinePlot(title=name, x="epoch", y=[name]) for name in _SPEED],
    }
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=f"{NAME} {sweep.group}" if sweep else NAME,
        sections=[workspaces.Section(name=name, panels=content, is_open=True) for name, content in sections.items()],
        runset_settings=workspaces.RunsetSettings(
            filters=And(Metric("Group") == sweep.group) if sweep else "",
            pinned_columns=[f"summary:{HEADLINE}"],
        ),
        auto_generate_panels=True,
    )


def save_workspace(view: "Workspace") -> None:
    """Send a view to wandb, which prints its address.

    Raises:
        ConfigError: wandb refuses it or cannot be reached.
    """
    with _errors_explained(f"did not save the view of {view.entity}/{view.project}"):
        view.save()


def _own_entity() -> str:
    with _errors_explained("did not say which entity the API key belongs to"):
        import wandb

        return str(wandb.Api().default_entity)


@contextmanager
def _errors_explained(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # wandb and its client of the network raise errors of many types
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"wandb {what} ({type(error).__name__}: {reason}); check the API key (wandb login), --entity and the name "
            "of the project, or print the view alone with --dry-run."
        ) from error


def _sweep_panels(sweep: Sweep) -> list[Any]:
    import wandb_workspaces.reports.v2 as panels

    metrics = {key: panels.Config(_config_key(key)) for key in sweep.keys}
    metrics[sweep.metric] = panels.SummaryMetric(f"final/{sweep.metric}")
    columns = [panels.ParallelCoordinatesPlotColumn(metric=each, display_name=name) for name, each in metrics.items()]
    return [
        panels.ParallelCoordinatesPlot(title="parallel coordinates", columns=columns, layout=panels.Layout(w=16, h=10)),
        panels.ParameterImportancePlot(with_respect_to=f"final/{sweep.metric}"),
    ]


def _config_key(key: str) -> str:
    """Return the place of a swept key in the configuration of a wandb run; `chosen_options` are logged beside it."""
    return f"options.{key}" if is_group(key) else key


def is_group(key: str) -> bool:
    """Return whether a key of an override chooses an option of a config group: ``model``, not ``model.dropout``."""
    return (CONF_DIR / key).is_dir()


def chosen_options(overrides: Sequence[str]) -> dict[str, str]:
    """Return what overrides choose from config groups: ``["model=resnet18", "seed=1"]`` → ``{"model": "resnet18"}``."""
    pairs = (override.lstrip("+").partition("=") for override in overrides)
    return {key: option for key, _, option in pairs if option and is_group(key)}


def outline(workspace: "Workspace") -> list[str]:
    """Return the sections of a view and what each shows, one line per section."""
    return [f"{section.name}: {', '.join(map(_shown, section.panels))}" for section in workspace.sections]


def _shown(panel: Any) -> str:
    title = getattr(panel, "title", None) or getattr(panel, "table_name", None)
    return title or f"importance of each setting for {panel.with_respect_to}"
