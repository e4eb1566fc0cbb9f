"""Measure what the README claims: ``make bench``, or a part of it: ``make bench ARGS="--only training"``.

It prints the machine, what was run and what was found beside what is asked for, and keeps it as JSON, with plots.
"""

import argparse
import importlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from machine import machine

PARTS = {
    "planted": "does the audit find copies? (11 min)",
    "dup99": "does it agree with the sets' reference groups?",
    "cost": "what does an audit cost?",
    "growth": "how does its search grow?",
    "startup": "how long until a command does something?",
    "input_pipeline": "images a second that are made ready, beside others",
    "training": "training beside its floor, timm's loop and a Lightning template (10 min)",
    "time_to_f1": "seconds to macro-F1 0.97 beside the study's recipe (30 min)",
    "inference": "latency and throughput of exported models",
    "server": "the server beside its engine and a plain one (10 min)",
    "ood": "what does an OOD detector let through? (10 min)",
    "growth_speed": "cost an image and memory from 1,000 to 100,000 (6 min)",
    "scaling": "samples a second of one and of two processes",
    "interval_coverage": "do 95 % intervals and conformal sets hold what they promise?",
    "evidence_speed": "how long does evaluating 10,000 predictions take?",
    "sweep_overhead": "what a sweep costs beside its jobs",
}
"""Module of this folder → the question it answers."""


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the parts that are asked for."""
    parts = "\n".join(f"  {name:<16}{question}" for name, question in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="make bench", description=f"{__doc__}\n\nparts:\n{parts}", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", metavar="PART", help="these parts; all of them otherwise")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of bench.json and the plots")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.only or PARTS:
        print(f"\n{name}: {PARTS[name]}", flush=True)
        document = {"machine": machine(), name: run(name, asked.out)}
        print(f"  {json.dumps(document['machine'])}", flush=True)
        _keep(document, asked.out / "bench.json")
    print(f"\nWritten: {asked.out}")
    return _kept(asked.out / "bench.json")


def run(name: str, out: Path) -> dict[str, Any]:
    """One part: measure, tell, and draw if there is something to draw."""
    part, started = importlib.import_module(name), time.perf_counter()
    logging.disable(logging.INFO)
    try:
        found: dict[str, Any] = part.measure()
    finally:
        logging.disable(logging.NOTSET)  # this may be a test, and others want their log
    part.tell(found)
    if hasattr(part, "plot") and "left_out" not in found:
        part.plot(found, out / f"{name}.png")
    print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)
    return found


def _keep(document: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(_kept(path) | document, indent=2) + "\n", encoding="utf-8")


def _kept(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
