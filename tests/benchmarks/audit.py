"""Measure the audit: does it find copies and nothing else, and what does it cost? ``make bench ARGS="--only cost"``.

It prints what it finds against what is asked for, and keeps it as JSON, with a plot of how the cost grows.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cost
import dup99
import growth
import planted
from machine import machine, public_set

Result = dict[str, Any]


def main(arguments: list[str] | None = None) -> Result:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="one part; all of them otherwise")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-audit"), help="folder of audit.json, growth.png")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    document: Result = {"machine": machine()}
    print(json.dumps(document["machine"]), flush=True)
    for name in [asked.only] if asked.only else PARTS:
        started = time.perf_counter()
        print(f"\n{name}", flush=True)
        document[name] = PARTS[name]()
        print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)
        (asked.out / "audit.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if "growth" in document:
        growth.plot(document["growth"], asked.out / "growth.png")
    print(f"\nWritten: {asked.out}")
    return document


def _on_sets(names: tuple[str, ...], measure: Callable[[Path], Result], told: Callable[[Result], None]) -> Result:
    results = {}
    for name in names:
        root = public_set(name)
        if root is None:
            print(f"  {name} is left out: BRAIN_TUMOR_SHARED names no folder with data/{name}.")
            continue
        results[name] = measure(root)
        print(f"  {name}, {results[name]['pictures']} pictures", flush=True)
        told(results[name])
    return results


def _planted() -> Result:
    return _on_sets(("nickparvar", "cheng", "preetviradiya"), planted.measure, _tell_planted)


def _tell_planted(found: Result) -> None:
    alone = found["recall_alone"]
    print(
        f"    found of {found['planted']} copies: {found['recall_overall']:.2%} (asked: ≥ 98 %), {found['seconds']} s"
    )
    print(f"    found of {alone['planted']}, one copy of each picture: {alone['overall']:.2%}")
    for name, recall in found["recall"].items():
        print(f"      {name:<22}{recall:8.2%}{alone[name]:10.2%}")
    for pool, kinds in found["false_between_patients"].items():
        for kind, wrong in kinds.items():
            print(f"    {kind} between known patients, {pool}: {_share(wrong)}{' (asked: ≤ 0.1 %)' * (kind == 'near')}")
    print(f"    near between dup99 groups: {_share(found['near_between_dup99_groups'])}")


def _share(wrong: Result) -> str:
    pairs = f"{wrong['pairs']} of {wrong['possible']} pairs ({wrong['share_of_pairs']:.1e})"
    return f"{pairs}, {wrong['share_of_pictures']:.3%} of pictures"


def _dup99() -> Result:
    return _on_sets(("nickparvar", "preetviradiya"), dup99.measure, _tell_dup99)


def _tell_dup99(found: Result) -> None:
    for name, value in found.items():
        print(f"    {name}: {value}")


def _cost() -> Result:
    return _on_sets(("nickparvar",), cost.measure, _tell_cost)


def _tell_cost(found: Result) -> None:
    for name, limit in {"cold": 60, "warm": 5}.items():
        one = found[name]
        runs = f"runs {one['runs_s']}, {one['core_s']} s of all cores, {one['images_per_s']} images/s"
        print(f"    {name}: {one['median_s']} s (asked: ≤ {limit}), {runs}")


def _growth() -> Result:
    result = growth.measure()
    last = result["rows"][-1]
    print(f"  seconds ~ N^{result['exponent']}, core seconds ~ N^{result['exponent_of_core_seconds']} (asked: < 2)")
    print(f"  {last['number']}: {last['seconds']} s (asked: ≤ 60), {last['peak_mib']} MiB (asked: ≤ 2048)")
    return result


PARTS: dict[str, Callable[[], Result]] = {"planted": _planted, "dup99": _dup99, "cost": _cost, "growth": _growth}


if __name__ == "__main__":
    main()
