"""Read the files of offline wandb runs with wandb's own reader."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path


def offline_log(run_dir: Path) -> Path:
    """Return the path of the only log of an offline run below a run directory."""
    [path] = (run_dir / "wandb").glob("offline-run-*/run-*.wandb")
    return path


def summary_of(path: Path) -> dict:
    return json.loads(_inspect(path, "--summary", "--json"))


def records_of(path: Path, kind: str) -> list[dict]:
    records = [json.loads(line) for line in _inspect(path, "--json").splitlines()]
    return [record[kind] for record in records if record["type"] == kind]


def media_table(path: Path, key: str) -> dict:
    """Return a table that a run has logged."""
    [table] = (path.parent / "files" / "media" / "table").glob(f"{key}_*.table.json")
    return json.loads(table.read_text())


def artifact(path: Path, kind: str, name: str) -> dict:
    """Return an artifact whose name begins with ``name``; ``files`` maps names in it to paths of local files."""
    [logged] = [
        record for record in records_of(path, "artifact") if record["type"] == kind and record["name"].startswith(name)
    ]
    files = {entry["path"]: Path(entry["local_path"]) for entry in logged["manifest"]["contents"]}
    return {**logged, "metadata": json.loads(logged.get("metadata", "{}")), "files": files}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _inspect(path: Path, *options: str) -> str:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout
