"""The directory of a sweep, on paper: what its jobs would have written."""

from brain_tumor.run_dir.atomic import write_json
from brain_tumor.sweeps.jobs import Job, Plan


def write_sweep(folder, table, *, mode="max", swept=(), fixed=("data.root=it's here",)):
    """Write the directory of a sweep from rows (overrides, val score, test score) or (overrides, status, reason)."""
    jobs = []
    for number, (overrides, val, test) in enumerate(table):
        jobs.append(Job(number, str(number), [*fixed, *overrides]))
        run_dir = folder / str(number)
        run_dir.mkdir(parents=True)
        if isinstance(val, str):
            if val != "waiting":
                write_json({"status": val, "reason": test}, run_dir / "run.json")
            continue
        write_json(
            {"status": "finished", "training": {"best": val}, "seconds": {"data": 1.0, "fit": 2.5}},
            run_dir / "run.json",
        )
        estimates = {
            "val": {"f1_macro": {"value": val}},
            "test": {"f1_macro": {"value": test}, "auroc": {"value": None}},
        }
        write_json(estimates, run_dir / "results.json")
    plan = Plan("train", "val/f1_macro", mode, list(swept), jobs, "finished", command="brain-tumor train -m")
    plan.write(folder)
    return Plan.read(folder)
