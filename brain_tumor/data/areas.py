"""How much each slice of a volume shows: measured once, then remembered."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from brain_tumor.data.publish import published_file
from brain_tumor.data.reading import READING_VERSION


def remembered(
    cache_dir: Path | None, files: Sequence[Path], what: str, measure: Callable[[], list[float]]
) -> list[float]:
    """Areas from ``cache_dir``, measured and written there if these files, as they are now, never were.

    Args:
        cache_dir: None measures anew each time.
        files: What the areas depend on.
        what: Tells areas of the same files apart.
        measure: Does the work.

    A folder that cannot be written to only costs the time to measure again.
    """
    if cache_dir is None:
        return measure()
    digest = hashlib.sha256(f"{READING_VERSION} {what}".encode(errors="replace"))
    for file in sorted(set(files)):
        stat = file.stat()
        digest.update(f"\n{file} {stat.st_size} {stat.st_mtime_ns}".encode(errors="replace"))
    entry = cache_dir / "areas" / f"{digest.hexdigest()[:16]}.json"
    try:
        return [float(area) for area in json.loads(entry.read_text())]
    except (OSError, ValueError):
        areas = measure()
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with published_file(entry) as draft:
            draft.write_text(json.dumps(areas))
    return areas
