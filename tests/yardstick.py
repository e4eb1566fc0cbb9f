"""Hash what small runs produce, to show that a change of the code leaves results as they were.

    python tests/yardstick.py OUT              # write OUT/hashes.json and the documents behind it
    python tests/yardstick.py OUT --against F  # compare with an earlier hashes.json; exit code 1 where one differs

Three trainings (small CNN; ResNet-18 from scratch with mixup and EMA; small CNN in two processes), an audit, an
evaluation of the first run on its own test and on other data, a comparison and a prediction. Texts and durations are
left out of the hashes and renamed keys are mapped: only numbers and decisions count. About 3 minutes on 2 cores.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch

ROOT = Path(__file__).parents[1]
DATA = ["data=phantom", "data.patients=200", "data.slices=2", "data.image_size=64"]
SHORT = [*DATA, "split=grouped", "split.val=0.25", "trainer=cpu", "trainer.precision=32-true", "callbacks=[]"]
SHORT += ["data.num_workers=0", "evaluation.resamples=200", "trainer.max_epochs=2"]
COMMANDS: dict[str, list[str]] = {
    "small_cnn": ["train", *SHORT, "augmentation=medium", "trainer.max_epochs=10"],
    "resnet18": [
        "train", *SHORT, "model=resnet18", "model.pretrained=false", "callbacks=[ema]", "augmentation.mixup=0.4",
        "trainer.max_epochs=1",
    ],
    "two_processes": ["train", *SHORT, "trainer=ddp_cpu"],
    "audit": ["audit", *DATA, "split=holdout"],
    "own_test": ["evaluate", "model={small_cnn}", "limit=24", "evaluation.resamples=200"],
    "elsewhere": [
        "evaluate", "model={small_cnn}", "data=phantom", "data.patients=40", "data.seed=7", "limit=8",
        "evaluation.resamples=200",
    ],
    "binary": [
        "evaluate", "model={small_cnn}", "data=phantom", "data.patients=40", "data.seed=7", "class_map=binary",
        "evaluation.resamples=200",
    ],
    "compare": ["compare", "{small_cnn}", "{two_processes}", "resamples=200", "champion={two_processes}",
                "fail_on_gate=false"],
    "predict": ["predict", "bundle={small_cnn}", "input={phantoms}"],
}  # fmt: skip
RENAMED = {
    "floor": "baseline", "ood_rejection": "rejection", "turned_away": "rejection", "rejected": "rejection",
    "foreign": "ood", "sets": "ood", "let_through": "missed", "asked": "target", "distinct_pictures": "distinct_images",
    "foreignness": "ood_score", "known": "reference", "side": "split",
}  # fmt: skip
"""Keys of JSON documents and columns of tables: names before and after → one name for both."""


def run(out: Path) -> None:
    """Run the commands one after the other, each into a directory of its own, with one thread."""
    cache = out / "cache"
    places = {name: str(out / name) for name in COMMANDS}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "BRAIN_TUMOR_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    for name, arguments in COMMANDS.items():
        done = out / f"{name}.done"
        if done.exists():
            continue
        places["phantoms"] = str(min(cache.glob("phantom-*"), default=""))
        words = [argument.format(**places) for argument in arguments]
        command = [sys.executable, "-m", "brain_tumor", *words, f"hydra.run.dir={out / name}"]
        with (out / f"{name}.log").open("w") as log:
            code = subprocess.run(command, env=environment, stdout=log, stderr=log, cwd=out).returncode
        print(f"{name}: exit code {code}", flush=True)
        if code:
            sys.exit((out / f"{name}.log").read_text()[-2000:])
        done.touch()


def weights(path: Path) -> str:
    """Hash of a checkpoint's tensors."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def document(path: Path) -> str:
    """Hash of a JSON document's keys, numbers and decisions."""
    text = json.dumps(_numbers(json.loads(path.read_text())), sort_keys=True)
    path.with_suffix(".canonical.json").write_text(json.dumps(json.loads(text), indent=1))
    return hashlib.sha256(text.encode()).hexdigest()


def _numbers(node: Any) -> Any:
    if isinstance(node, dict):
        return {RENAMED.get(key, key): _numbers(value) for key, value in node.items() if key != "seconds"}
    if isinstance(node, list):
        return [_numbers(value) for value in node]
    return "text" if isinstance(node, str) else node


def table(path: Path) -> str:
    """Hash of a CSV table, paths without their folders."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=RENAMED | {"foreign": "rejection"})
    for name in frame.columns:
        if frame[name].str.startswith(os.sep).any():
            frame[name] = [Path(value).name for value in frame[name]]
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def hashes(out: Path) -> dict[str, str]:
    """Path below ``out`` → hash, of all that counts."""
    found: dict[str, str] = {}
    for name in COMMANDS:
        for path in sorted((out / name).rglob("*")):
            key = str(path.relative_to(out))
            if path.name == "best.ckpt":
                found[key] = weights(path)
            elif path.suffix == ".csv" and path.name not in ("metrics.csv", "compare.csv"):
                found[key] = table(path)
            elif path.name in ("results.json", "audit.json", "compare.json"):
                found[key] = document(path)
    return found


def main() -> None:
    """Run, hash, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the runs; what is there already is not run again")
    parser.add_argument("--against", type=Path, help="hashes.json of an earlier version of the code")
    asked = parser.parse_args()
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    run(out)
    found = hashes(out)
    (out / "hashes.json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"{len(found)} hashes in {out / 'hashes.json'}")
    if asked.against:
        before = json.loads(asked.against.read_text())
        different = sorted(key for key in before.keys() | found.keys() if before.get(key) != found.get(key))
        print("\n".join(f"different: {key}" for key in different) or "all equal")
        sys.exit(bool(different))


if __name__ == "__main__":
    main()
