"""``brain-tumor serve``: answer requests over HTTP with trained models, and show answers on a page."""

import sys

from omegaconf import DictConfig

from brain_tumor.cli.run import run_app


def _run(cfg: DictConfig) -> None:
    from brain_tumor.pipelines.service import serve  # imports the engine: only once the config is valid

    if code := serve(cfg):
        sys.exit(code)


def main() -> None:
    """Run the verb from the command line."""
    run_app("serve", _run)


if __name__ == "__main__":
    main()
