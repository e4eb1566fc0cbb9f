"""The champion of a comparison, and the change record that it asks for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.config.instantiate import plain
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.comparison.acceptance import AcceptanceCriteria, check_acceptance
from brain_tumor.evaluation.comparison.candidates import Candidate, Run
from brain_tumor.evaluation.comparison.resampling import Comparison
from brain_tumor.pipelines.compared_runs import facts, leaked


def change_document(
    comparison: Comparison, champion: Sequence[Path], runs: Mapping[Path, Run], criteria: DictConfig
) -> dict[str, Any]:
    """``change_record.json``: each other candidate against the champion.

    Args:
        comparison: With the champion among its candidates.
        champion: Its runs.
        runs: All that are compared.
        criteria: Fields of `brain_tumor.evaluation.comparison.acceptance.AcceptanceCriteria`.

    Returns:
        ``changes`` of `check_acceptance`, and ``runs``: name → facts.

    Raises:
        ConfigError: The champion is several candidates, or the only one.
    """
    holder = _candidate_of({runs[path].name for path in champion}, comparison.candidates)
    leaks = {candidate.name: _most_leaked(candidate, runs) for candidate in comparison.candidates}
    return {
        "changes": check_acceptance(comparison, holder, AcceptanceCriteria(**plain(criteria)), leaks),
        "runs": {run.name: facts(path) for path, run in runs.items()},
    }


def _candidate_of(names: set[str], candidates: Sequence[Candidate]) -> str:
    holders = [candidate.name for candidate in candidates if names & set(candidate.runs)]
    if len(holders) > 1:
        raise ConfigError(f"champion names {len(holders)} candidates ({', '.join(holders)}); a champion is one.")
    if len(candidates) == 1:
        raise ConfigError(
            f"All runs are one candidate, {holders[0]!r}, as they differ only in seed or fold; there is nobody to "
            "challenge it: compare each run for itself with pool=false, or name another run."
        )
    return holders[0]


def _most_leaked(candidate: Candidate, runs: Mapping[Path, Run]) -> int | None:
    """Of its runs; None where nothing is known of one."""
    counts = [leaked(path) for path, run in runs.items() if run.name in candidate.runs]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
