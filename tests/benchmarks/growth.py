"""What the search for candidates costs as the images grow in number: seconds, memory, and what it misses.

Each number is measured in a process of its own: ``python tests/benchmarks/growth.py SEEDS NUMBER`` prints one row.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from charts import chart
from crowd import Crowd, crowd, phantom_seeds, real_seeds
from machine import forget_peak, memory_peak, public_set

from brain_tumor.data.duplicates import hashing
from brain_tumor.data.duplicates import search as matching
from brain_tumor.data.duplicates.hashing import Grids, Hasher, Hashes, build_index, neighbours, shrink
from brain_tumor.data.fingerprint import ORIENTATIONS, WHOLE

NUMBERS = (12_500, 25_000, 50_000, 100_000, 200_000)
_SETS = ("cheng", "nickparvar", "preetviradiya")
_SEEDS = 1500
_QUERIES = 2000
_MIB = 2**20


def measure(numbers: tuple[int, ...] = NUMBERS, seeds: int = _SEEDS) -> dict[str, Any]:
    """Search among ever more images, one process each, and fit seconds ~ number^exponent."""
    roots = [root for root in map(public_set, _SETS) if root]
    grids = real_seeds(roots, seeds) if roots else phantom_seeds(seeds)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "seeds.npy"
        np.save(stored, grids)
        for number in numbers:
            command = [sys.executable, __file__, str(stored), str(number)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"  {rows[-1]}", flush=True)
    return {"seeds": f"{len(grids)} {'real images' if roots else 'phantoms'}", "rows": rows, **exponents(rows)}


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The slope of log seconds over log number, of what is searched in cells: below, all are compared with all."""
    rows = [row for row in rows if row["number"] > hashing._MAX_EXACT]
    if len(rows) < 2:
        return {}
    number = np.log([row["number"] for row in rows])
    slopes = {}
    for name, key in {"exponent": "seconds", "exponent_of_core_seconds": "core_seconds"}.items():
        slopes[name] = round(float(np.polyfit(number, np.log([row[key] for row in rows]), 1)[0]), 3)
    return slopes


def search(number: int, seeds: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Propose pairs among ``number`` images as the audit does."""
    people = crowd(seeds, number)
    forget_peak()
    before = memory_peak()
    started, worked = time.perf_counter(), time.process_time()
    proposed = matching.propose(matching.Fingerprints(people.views, np.arange(number)))
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    return {
        "number": number,
        "seconds": round(seconds, 2),
        "core_seconds": round(worked, 2),
        "peak_mib": round(memory_peak() / _MIB),
        "before_mib": round(before / _MIB),
        "proposed": len(proposed),
        "planted": len(people.copies),
        "recall_planted": round(_recall(people, proposed), 4),
        "recall_of_exact_search": round(of_exact(shrink(people.views[:, WHOLE])), 4),
    }


def _recall(people: Crowd, proposed: npt.NDArray[np.int64]) -> float:
    """Share of planted pairs that are proposed, in any orientation."""
    left, right = np.sort([people.originals, people.copies], axis=0)
    number = len(people.views)
    return float(np.isin(left * number + right, proposed[:, 0] * number + proposed[:, 1]).mean())


def of_exact(grids: Grids) -> float:
    """Share of what comparing some images with all others would propose that the index proposes, too."""
    import faiss

    hasher, least = Hasher.fit(grids), matching.MIN_COSINE[WHOLE]
    hashes = hasher(grids)
    indexes = [build_index(hashes), faiss.IndexFlatIP(hashes.shape[1])]
    indexes[1].add(hashes)
    rows = np.random.default_rng(0).permutation(len(grids))[:_QUERIES]
    found: list[set[tuple[int, int, int]]] = [set(), set()]
    for orientation in ORIENTATIONS:
        queries: Hashes = hasher(grids[rows], orientation)
        for pairs, index in zip(found, indexes, strict=True):
            for query, row in neighbours(index, queries, least, matching.MAX_NEIGHBOURS):
                others = rows[query] != row
                pairs.update((orientation, int(a), int(b)) for a, b in zip(query[others], row[others], strict=True))
    return len(found[0] & found[1]) / max(1, len(found[1]))


def tell(result: dict[str, Any]) -> None:
    """Print how it grows, and what the largest number costs, against what is asked for."""
    last = result["rows"][-1]
    print(f"  seconds ~ N^{result['exponent']}, core seconds ~ N^{result['exponent_of_core_seconds']} (asked: < 2)")
    print(f"  {last['number']}: {last['seconds']} s (asked: ≤ 60), {last['peak_mib']} MiB (asked: ≤ 2048)")


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw seconds and memory over the number of images."""
    number, seconds, peak = ([row[key] for row in result["rows"]] for key in ("number", "seconds", "peak_mib"))
    with chart(path, 11, 4, columns=2) as (left, right):
        left.loglog(number, seconds, "o-", label="measured")
        for power, style in ((1, ":"), (2, "--")):
            curve = seconds[0] * (np.array(number) / number[0]) ** power
            left.loglog(number, curve, f"k{style}", alpha=0.5, label=f"~ N^{power}")
        left.set(xlabel="images", ylabel="seconds", title=f"seconds ~ N^{result.get('exponent', float('nan')):.2f}")
        left.legend()
        right.plot(np.array(number) / 1000, peak, "o-")
        right.axhline(2048, color="k", linestyle=":")
        right.set(xlabel="thousands of images", ylabel="peak resident memory, MiB", ylim=(0, None))


if __name__ == "__main__":
    print(json.dumps(search(int(sys.argv[2]), np.load(sys.argv[1]))))
