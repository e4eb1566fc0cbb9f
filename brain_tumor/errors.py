"""The errors a user can cause; each message says what was found, what was expected and what to do next."""


class BrainTumorError(Exception):
    """Base of all errors that are told in one sentence; a verb prints it and exits with ``exit_code``."""

    exit_code = 2
    """2 where the user can mend it."""


class ConfigError(BrainTumorError):
    """The composed configuration cannot be built."""


class DataError(BrainTumorError):
    """The data set cannot be used as it is."""


class RankError(BrainTumorError):
    """One of several training processes died or does not answer."""

    exit_code = 1


class RunDirError(BrainTumorError):
    """The run directory cannot be written any more."""


class WeightsError(BrainTumorError):
    """Pretrained or saved weights cannot be had or do not fit."""


class BundleError(BrainTumorError):
    """A bundle is damaged or foreign, or cannot do what is asked of it."""


class AcceptanceError(BrainTumorError):
    """A candidate may not take the champion's place; no mistake of anyone."""

    exit_code = 1


class PrunedError(BrainTumorError):
    """A sweep ended a run that promised nothing; no mistake of anyone."""

    status = "pruned"
    """How ``run.json`` says that it ended."""


class JobError(Exception):
    """One job of a sweep failed; the message is the reason, in one sentence."""


class SweepError(Exception):
    """Some jobs of a sweep failed; the others were done. A verb prints the message and exits with code 1."""


def require(good: bool, found: str, expected: str) -> None:
    """Check a setting.

    Raises:
        ConfigError: It is not good.
    """
    if not good:
        raise ConfigError(f"Invalid {found}: expected {expected}.")
