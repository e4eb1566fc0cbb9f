import subprocess
import sys

import pytest

from brain_tumor.config.compose import CONF_DIR
from brain_tumor.data.labels import normalise_label
from brain_tumor.data.public.registry import SETS, named

TOTALS = {"nickparvar": 7023, "bhuvaji": 3264, "cheng": 3064, "preetviradiya": 4600, "navoneel": 253, "br35h": 3000}
TOTALS |= {"brisc2025": 6000, "pmram": 1505}


@pytest.mark.parametrize("name", SETS)
def test_every_entry_is_whole(name):
    published = SETS[name]

    assert named(name.upper()) is published
    assert published.releases[0].total == TOTALS[name]
    assert all([published.title, published.page, published.licence, published.citation, published.remarks])
    assert published.source.partition(":")[0] in ("kaggle", "figshare", "zenodo")
    for release in published.releases:
        assert set(release.counts) == (set(published.parts.values()) if published.parts else {""})
        assert all(set(classes) == set(published.classes) for classes in release.counts.values())
    assert all(normalise_label(label) == label for label in published.classes)
    assert f"  name: {name}\n" in (CONF_DIR / "data" / f"{name}.yaml").read_text()


def test_published_splits():
    totals = {name: [sum(part.values()) for part in SETS[name].releases[0].counts.values()] for name in SETS}

    assert totals["nickparvar"] == [5712, 1311]
    assert totals["bhuvaji"] == [2870, 394]
    assert totals["brisc2025"] == [5000, 1000]


def test_the_registry_costs_nothing():
    code = (
        "import sys, brain_tumor.data.public.registry as r; print(len(r.SETS), {'torch', 'pandas'} & set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "8 set()\n"
