import hashlib

import pandas as pd

from brain_tumor.data.public.groups import shipped
from brain_tumor.data.public.groups.shipped import KEY
from brain_tumor.data.samples import samples_table

SETS = ("cheng", "nickparvar", "preetviradiya")
FILES = {"cheng": 3064, "nickparvar": 6726, "preetviradiya": 4056}  # distinct ones


def known(name, rows=slice(None), **columns):
    """Samples whose bytes are those of a public set."""
    table = shipped.table(name).iloc[rows]
    return samples_table(
        pd.DataFrame({"sample_id": name + table[KEY], "sha256": table[KEY] + "0" * 48, "label": "x", **columns})
    )


def strangers(number):
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(number)]
    return samples_table([{"sample_id": f"own {n}", "sha256": each, "label": "x"} for n, each in enumerate(hashes)])


def groups_csv(place, header, *rows):
    (place / "groups.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def six(pattern):
    """One row for each of `images`, ``{n}`` its number and ``{path}`` its path."""
    return [pattern.format(n=n, path=f"{('yes', 'no')[n % 2]}/{n}.jpg") for n in range(6)]


# The shipped tables
