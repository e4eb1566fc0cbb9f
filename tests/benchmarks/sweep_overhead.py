"""What a sweep costs beside training: seconds of the whole command less those that its jobs count themselves, a job.

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


def measure(jobs: int, *overrides: str) -> dict[str, Any]:
    """Time one sweep over seeds, and the same command with one job, whose start is everybody's."""
    with tempfile.TemporaryDirectory() as folder:
        one = _sweep(Path(folder) / "one", 1, *overrides)
        many = _sweep(Path(folder) / "many", jobs, *overrides)
    return {
        "jobs": jobs,
        "total_s": round(many["total"], 2),
        "training_s": round(many["training"], 2),
        "overhead_a_job_s": round((many["total"] - many["training"]) / jobs, 2),
        "overhead_of_a_further_job_s": round(
            (many["total"] - many["training"] - one["total"] + one["training"]) / (jobs - 1), 2
        ),
    }


def _sweep(folder: Path, jobs: int, *overrides: str) -> dict[str, float]:
    seeds = ",".join(map(str, range(jobs)))
    command = [sys.executable, "-m", "brain_tumor", "train", "--multirun", *TINY, f"seed={seeds}", *overrides]
    start = time.perf_counter()
    subprocess.run(
        [*command, f"hydra.sweep.dir={folder}"], check=True, capture_output=True, env=os.environ | {"MPLBACKEND": "agg"}
    )
    total = time.perf_counter() - start
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/run.json")]
    return {"total": total, "training": sum(sum(record["seconds"].values()) for record in records)}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print(json.dumps(measure(int(arguments[0]) if arguments else 8, *arguments[1:])))
