import subprocess
import sys

import pytest

from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.data.labels import normalise_label
from brain_tumor.data.public.registry import SETS, find_set

TOTALS = {"nickparvar": 7023, "bhuvaji": 3264, "cheng": 3064, "preetviradiya": 4600, "navoneel": 253, "br35h": 3000}
TOTALS |= {"brisc2025": 6000, "pmram": 1505}


@pytest.mark.parametrize("name", SETS)
def test_every_entry_is_complete(name):
    dataset = SETS[name]

    assert find_set(name.upper()) is dataset
    assert dataset.releases[0].total == TOTALS[name]
    assert all([dataset.title, dataset.page, dataset.licence, dataset.citation, dataset.remarks])
    assert dataset.source.partition(":")[0] in ("kaggle", "figshare", "zenodo")
    for release in dataset.releases:
        assert set(release.counts) == (set(dataset.split_folders.values()) if dataset.split_folders else {""})
        assert all(set(classes) == set(dataset.classes) for classes in release.counts.values())
    assert all(normalise_label(label) == label for label in dataset.classes)
    assert f"  name: {name}\n" in (CONF_DIR / "data" / f"{name}.yaml").read_text()


def test_published_splits():
    totals = {name: [sum(classes.values()) for classes in SETS[name].releases[0].counts.values()] for name in SETS}

    assert totals["nickparvar"] == [5712, 1311]
    assert totals["bhuvaji"] == [2870, 394]
    assert totals["brisc2025"] == [5000, 1000]


def test_the_registry_imports_nothing_heavy():
    code = (
        "import sys, brain_tumor.data.public.registry as r; print(len(r.SETS), {'torch', 'pandas'} & set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "8 set()\n"
