"""Export a bundle's network to a faster engine, and report what that gains."""

from omegaconf import DictConfig
from rich import get_console

from brain_tumor.data.folder_and_manifest import manifest
from brain_tumor.errors import BundleError, require
from brain_tumor.evaluation.report.console import show
from brain_tumor.pipelines.ensemble import make_ensemble
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.console import export_table
from brain_tumor.serving.export import Exported, export
from brain_tumor.serving.packing import bundle_of
from brain_tumor.serving.signature import sign

NO_ENGINE = "none"
"""Value of ``engine`` that exports nothing."""


def export_bundle(cfg: DictConfig) -> Exported | Bundle:
    """Export the bundle that a composed configuration names, or join runs into one.

    Returns:
        The export; the bundle of ``ensemble=[RUN,RUN]``, which has no export yet.

    Raises:
        BrainTumorError: A user's mistake, or a check that failed, in one sentence.
    """
    require((cfg.bundle is None) != (cfg.ensemble is None), _found(cfg), "one of bundle=RUN and ensemble=[RUN,RUN]")
    require(cfg.engine != NO_ENGINE or cfg.sign, f"engine={NO_ENGINE}", "onnxruntime or openvino, or sign=KEY with it")
    if cfg.ensemble is not None:
        made: Exported | Bundle = make_ensemble(cfg)
    elif cfg.engine == NO_ENGINE:
        made = bundle_of(cfg.bundle, cfg.plugins)
    else:
        made = _exported(cfg)
    bundle = made if isinstance(made, Bundle) else made.bundle
    if cfg.sign:
        show(f"Signature: {sign(bundle.folder, cfg.sign)}", soft_wrap=True)
    return made


def _exported(cfg: DictConfig) -> Exported:
    bundle = bundle_of(cfg.bundle, cfg.plugins)
    samples = bundle.folder.parent / "samples.csv" if cfg.samples is None else cfg.samples
    if cfg.samples is None and not samples.is_file():
        raise BundleError(
            f"{bundle.folder} lies outside its run directory: an export is checked on the images that the run "
            "validated on. Export it where it was trained (bundle=RUN), or give samples=CSV, the "
            "samples.csv of that run, beside its images."
        )
    exported = export(
        bundle,
        manifest(samples, modalities=["any"], derived=True).samples,
        engine=cfg.engine,
        precision=cfg.precision,
        threads=cfg.threads,
        calibration=cfg.calibration,
        max_change=cfg.max_change,
        mean_change=cfg.mean_change,
    )
    console = get_console()
    console.print(export_table(exported, cfg.engine, cfg.precision))
    console.print(f"Bundle: {exported.bundle.folder}", soft_wrap=True, highlight=False, markup=False)
    return exported


def _found(cfg: DictConfig) -> str:
    return "neither bundle nor ensemble" if cfg.bundle is None else f"bundle={cfg.bundle} with ensemble={cfg.ensemble}"
