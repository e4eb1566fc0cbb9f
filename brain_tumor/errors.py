"""Errors that a user can cause; each message says what was found, what was expected and what to do next."""

import signal


class BrainTumorError(Exception):
    """Base class of errors whose message is one sentence; a verb prints it and exits with ``exit_code``."""

    exit_code = 2
    """Exit code of the command: 2 if the user can correct the error, 1 otherwise."""


class ConfigError(BrainTumorError):
    """The composed configuration is invalid."""


class DataError(BrainTumorError):
    """The data set cannot be used as it is."""


class RankError(BrainTumorError):
    """One of several training processes died or does not respond."""

    exit_code = 1


class RunDirError(BrainTumorError):
    """The run directory can no longer be written, or a file in it is damaged."""


class WeightsError(BrainTumorError):
    """Pretrained or saved weights are not available or do not fit the network."""


class BundleError(BrainTumorError):
    """A bundle is damaged, was written by another program, or does not support the requested operation."""


class AcceptanceError(BrainTumorError):
    """A candidate model does not meet the acceptance criteria. This is a result, not a mistake of the user."""

    exit_code = 1


class PrunedError(BrainTumorError):
    """A search stopped an unpromising trial. This is a result, not a mistake of the user."""

    status = "pruned"
    """Final ``status`` in ``run.json``."""


REPEAT = "repeat the command to start again"
"""How to go on after a command was stopped that has nothing to continue."""


class PreemptedError(BaseException):
    """A signal (SIGTERM, SIGUSR1, or SIGINT of Ctrl-C) asked the command to stop; it is saved as far as it can be.

    It is no `Exception`: no handler of errors may take it for a failure of what was interrupted, such as a download or
    the decoding of an image.

    Args:
        number: Number of the signal.
        advice: How to go on, the end of the message.
        at_once: Whether to stop without waiting for other processes.
    """

    status = "preempted"
    """Final ``status`` in ``run.json``."""

    def __init__(self, number: int, advice: str = REPEAT, *, at_once: bool = False) -> None:
        super().__init__(number, advice)
        self.number, self.advice, self.at_once = number, advice, at_once
        self.exit_code = 128 + number
        """Exit code of the command: a shell's convention for a process that a signal ended."""

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return f"Stopped by {'Ctrl-C (SIGINT)' if name == 'SIGINT' else name}; {self.advice}."


class JobError(Exception):
    """One job of a sweep failed; the message is the reason, in one sentence."""


class SweepError(Exception):
    """Some jobs of a sweep failed and the others have run; a verb prints the message and exits with code 1."""


def require(condition: bool, setting: str, expected: str) -> None:
    """Check a setting.

    Args:
        condition: Whether the setting is valid.
        setting: Key and value of the setting: ``data.batch_size=0``.
        expected: Description of valid values: ``a whole number from 1``.

    Raises:
        ConfigError: The setting is invalid.
    """
    if not condition:
        raise ConfigError(f"Invalid {setting}: expected {expected}.")
