import hashlib

import pandas as pd

from brain_tumor.data.public.groups import shipped
from brain_tumor.data.public.groups.shipped import KEY
from brain_tumor.data.samples import samples_table

SETS = ("cheng", "nickparvar", "preetviradiya")
FILES = {"cheng": 3064, "nickparvar": 6726, "preetviradiya": 4056}  # distinct files


def samples_of_set(name, rows=slice(None), **columns):
    """Samples with the hashes of a public set."""
    table = shipped.table(name).iloc[rows]
    return samples_table(
        pd.DataFrame({"sample_id": name + table[KEY], "sha256": table[KEY] + "0" * 48, "label": "x", **columns})
    )


def other_samples(number):
    """Samples with hashes that no public set has."""
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(number)]
    return samples_table([{"sample_id": f"own {n}", "sha256": digest, "label": "x"} for n, digest in enumerate(hashes)])


def write_groups(folder, header, *rows):
    (folder / "groups.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def six(pattern):
    """Six rows for the fixture `images`; ``{n}`` is the number of the image and ``{path}`` its path."""
    return [pattern.format(n=n, path=f"{('yes', 'no')[n % 2]}/{n}.jpg") for n in range(6)]
