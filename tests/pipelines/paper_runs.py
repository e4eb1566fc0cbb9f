"""Run directories as trainings would leave them, without training."""

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from brain_tumor.run_dir.atomic import write_json

CLASSES = ("glioma", "no_tumor")


def predictions(accuracy=0.8, seed=0, rows=slice(None), n=80):
    labels = np.arange(n) % 2
    right = np.random.default_rng([seed, 3]).random(n) < accuracy
    found = np.where(right, labels, 1 - labels)
    p = np.full((n, 2), 0.2)
    p[np.arange(n), found] = 0.8
    table = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES])
    table["label"] = np.array(CLASSES)[labels]
    table["sample_id"] = [f"{number}.png" for number in range(n)]
    table["group"] = [f"g{number // 2}" for number in range(n)]
    return table.iloc[rows]


def write_run(folder, overrides=(), *, status="finished", leaks=0, sha="abc", split=None, **table):
    """``split``: of the configuration; ``table``: of `predictions`."""
    (folder / "predictions").mkdir(parents=True)
    predictions(**table).to_csv(folder / "predictions" / "test.csv", index=False)
    write_json(
        {
            "status": status, "git_sha": sha, "seed": 0, "versions": {"brain-tumor": "0.1"}, "model": {"name": "cnn"},
            "data": {"name": "folder", "digest": "d" * 64},
        },
        folder / "run.json",
    )  # fmt: skip
    write_json({"leakage": {"allowed": False, "test_in_train": leaks, "val_in_train": 0}}, folder / "results.json")
    config = {"seed": 0, "model": {"name": "cnn"}, "split": split or {}, "paths": {"run_dir": str(folder)}}
    merged = OmegaConf.merge(config, OmegaConf.from_dotlist(list(overrides)))
    (folder / ".hydra").mkdir()
    OmegaConf.save(merged, folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / ".hydra" / "overrides.yaml")
    return folder
