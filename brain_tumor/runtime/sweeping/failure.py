"""What becomes of an error in one job of a sweep: one sentence for the sweep, the traceback for the job's own log."""

import logging
import traceback

from omegaconf.errors import OmegaConfBaseException

from brain_tumor.errors import BrainTumorError, JobError


def job_failure(error: BaseException) -> JobError:
    """Any error as one that every launcher can carry from process to process; its traceback goes to the job's log."""
    _log_traceback(error)
    return JobError(one_sentence(error))


def one_sentence(error: BaseException) -> str:
    """The reason as a person reads it."""
    from brain_tumor.runtime.config import explain

    if isinstance(error, BrainTumorError | JobError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        return explain(error)
    if isinstance(error, SystemExit):
        return f"ended itself with exit code {error.code}"
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _log_traceback(error: BaseException) -> None:
    """Into files only: on the screen a sweep shows one line a job."""
    record = logging.LogRecord(
        __name__, logging.ERROR, __file__, 0, "".join(traceback.format_exception(error)).rstrip(), None, None
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
