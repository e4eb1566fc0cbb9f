"""Serve models over HTTP."""

import importlib.util
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from brain_tumor.data.readers.volumes import ScanRules
from brain_tumor.errors import ConfigError, require
from brain_tumor.evaluation.report.console import show
from brain_tumor.serving.service.limits import Limits
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.served import Queue, Served

_PACKAGES = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")


def serve(cfg: DictConfig) -> int:
    """Serve what a composed configuration names until a signal asks to stop; returns the exit code.

    Raises:
        ConfigError: A setting is invalid, a package is missing, or the address is taken.
        BundleError: A model cannot be loaded.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"The server needs {', '.join(missing)}; install: pip install 'brain-tumor[serve]'.")
    from brain_tumor.serving.service.app import build_app
    from brain_tumor.serving.service.logs import log_as_json
    from brain_tumor.serving.service.run import Address, listen, run

    places = {"default": cfg.bundle} if isinstance(cfg.bundle, str) else dict(cfg.bundle)
    require(bool(places), "bundle={}", "a model: bundle=RUN, or several by name: bundle={small:RUN,large:RUN}")
    key = None if cfg.key_file is None else _key(Path(cfg.key_file).expanduser())
    address = Address(cfg.host, cfg.port, cfg.grace_seconds, cfg.queue.connections, cfg.limits.header_seconds)
    data = cfg.data
    listener = listen(address)
    models = Models(
        places,
        partial(
            Served.load,
            engine=cfg.engine,
            precision=cfg.precision,
            threads=cfg.threads,
            plugins=list(cfg.plugins),
            verify=cfg.verify,
            limits=Limits(**cfg.limits),
            queue=Queue(cfg.queue.working, cfg.queue.waiting),
            point=cfg.point,
            rules=ScanRules.parse(data.slices, data.plane, None, list(data.modalities), data.derived, data.patient),
            batch_size=cfg.batch_size,
        ),
    )
    host, port = listener.getsockname()[:2]
    show(f"Serving {_named(places)} at http://{f'[{host}]' if ':' in host else host}:{port}", soft_wrap=True)
    show("Research use only; not a medical device. Ctrl-C ends the server.")
    log_as_json()
    return run(build_app(models, key), models, listener, address)


def _named(places: Mapping[str, str]) -> str:
    return ", ".join(place if name == "default" else f"{name} ({place})" for name, place in places.items())


def _key(path: Path) -> str:
    """Read the key that requests have to bring.

    Raises:
        ConfigError: The file cannot be read, or holds no key of 16 characters or more.
    """
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"key_file={path} cannot be read: {error}.") from error
    if len(key) < 16 or not key.isascii() or len(key.split()) != 1:
        raise ConfigError(
            f"key_file={path} holds no key; expected one word of 16 ASCII characters or more; make one with: "
            "openssl rand -hex 32."
        )
    return key
