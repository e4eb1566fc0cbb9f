"""Start a wandb run that no network can stop."""

import logging
import re
from contextlib import suppress
from typing import Any, Literal

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.config import explain

Mode = Literal["online", "offline", "disabled"]
log = logging.getLogger(__name__)

_REFUSED = re.compile(r"permission|denied|unauthori[sz]ed|forbidden|not found|api.?key|entity|\b40[134]\b", re.I)
"""What a server says to a wrong key, entity or project; wandb has one class of error for this and for lost networks."""


def start_run(arguments: dict[str, Any]) -> Any:
    """Start a run online if that is asked for; where no server answers, offline; where wandb is broken, not at all.

    Args:
        arguments: Of ``wandb.init``. Its ``settings.init_timeout`` and 10 seconds bound the wait for a server.

    Raises:
        ConfigError: The key, the account or an argument is refused.
    """
    import wandb  # heavy

    try:
        return wandb.init(**arguments)
    except Exception as error:
        if _is_mistake(error):
            raise ConfigError(
                f"logger.wandb cannot start: {_sentence(error)} Without an account, set logger.wandb.offline=true."
            ) from error
        reason = error
    if not isinstance(reason, wandb.errors.CommError):
        with suppress(Exception):  # its service process died in an earlier job: the next start makes a new one
            wandb.teardown()
    try:
        run = wandb.init(**arguments | {"mode": "offline"})
    except Exception as error:  # it fails in many ways, and none of them is worth a training
        log.warning("wandb does not work (%s); this run is not logged there.", _sentence(error))
        return wandb.init(**arguments | {"mode": "disabled"})
    log.warning(
        "wandb cannot be reached (%s): this run is logged offline. Later: wandb sync %s",
        _sentence(reason),
        run.settings.sync_dir,
    )
    return run


def _is_mistake(error: Exception) -> bool:
    from wandb.errors import AuthenticationError, CommError, UsageError

    if isinstance(error, AuthenticationError | UsageError | ValueError):
        return True
    said = str(error)
    return isinstance(error, CommError) and not said.startswith("Timed out") and bool(_REFUSED.search(said))


def _sentence(error: Exception) -> str:
    """The first line: the others tell of wandb's own settings."""
    return explain(error).split(" Consider increasing")[0]
