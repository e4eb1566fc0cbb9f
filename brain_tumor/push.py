"""``brain-tumor push``: send a model to the Hugging Face hub."""

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app


def _run(cfg: DictConfig) -> None:
    from brain_tumor.evaluation.report.console import show
    from brain_tumor.serving.hub import push
    from brain_tumor.serving.packing import bundle_of
    from brain_tumor.serving.signature import verify

    bundle = bundle_of(cfg.bundle, cfg.plugins)
    if cfg.verify is not None:
        verify(bundle.folder, cfg.verify)
    show(f"Sent: {push(bundle, cfg.repo, private=cfg.private)}", soft_wrap=True)


def main() -> None:
    """Run the verb from the command line."""
    run_app("push", _run)


if __name__ == "__main__":
    main()
