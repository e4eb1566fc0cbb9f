"""What a sweep costs beside its jobs: seconds of the whole command less those that the jobs count themselves.

python tests/benchmarks/sweep_overhead.py [JOBS] [HYDRA_OVERRIDE …]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TINY = [
    "data.image_size=32", "data.patients=40", "data.num_workers=0", "model.widths=[8,16,16,16]", "callbacks=[]",
    "trainer.max_epochs=2", "evaluation.resamples=50",
]  # fmt: skip


def measure(jobs: int = 8, *overrides: str) -> dict[str, Any]:
    """Time one sweep over seeds, and the same command with one job, whose start is everybody's."""
    with tempfile.TemporaryDirectory() as folder:
        _sweep(Path(folder) / "warm", 1, *overrides)  # phantoms are drawn, libraries lie in memory
        one = _sweep(Path(folder) / "one", 1, *overrides)
        many = _sweep(Path(folder) / "many", jobs, *overrides)
    beside = many["total"] - many["jobs"]
    return {
        "jobs": jobs,
        "total_s": round(many["total"], 2),
        "jobs_s": round(many["jobs"], 2),
        "of_that_reports_s": round(many["reports"], 2),
        "overhead_a_job_s": round(beside / jobs, 2),
        "overhead_of_a_further_job_s": round((beside - one["total"] + one["jobs"]) / (jobs - 1), 2),
    }


def _sweep(folder: Path, jobs: int, *overrides: str) -> dict[str, float]:
    seeds = ",".join(map(str, range(jobs)))
    command = [sys.executable, "-m", "brain_tumor", "train", "--multirun", *TINY, f"seed={seeds}", *overrides]
    start = time.perf_counter()
    subprocess.run(
        [*command, f"hydra.sweep.dir={folder}"], check=True, capture_output=True, env=os.environ | {"MPLBACKEND": "agg"}
    )
    total = time.perf_counter() - start
    stages = [json.loads(path.read_text(encoding="utf-8"))["seconds"] for path in folder.glob("*/run.json")]
    return {
        "total": total,
        "jobs": sum(sum(stage.values()) for stage in stages),
        "reports": sum(stage["report"] for stage in stages),
    }


def tell(found: dict[str, Any]) -> None:
    """Print both overheads."""
    print(f"  {found['jobs']} jobs: {found['overhead_a_job_s']} s a job beside the job itself (asked: ≤ 1.5),")
    print(f"  {found['overhead_of_a_further_job_s']} s of them for each further one, once the sweep has started")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print(json.dumps(measure(int(arguments[0]) if arguments else 8, *arguments[1:])))
