import hashlib
import lzma

import pandas as pd
import pytest
from data.public.groups.samples import SETS, write_groups

from brain_tumor.data.public import public_set
from brain_tumor.data.public.groups import __main__ as build
from brain_tumor.data.public.groups import shipped
from brain_tumor.data.public.groups.__main__ import pack_tables
from brain_tumor.data.public.groups.filling import apply_groups
from brain_tumor.data.public.groups.shipped import HOW
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError


def original(folder, *rows, name="some"):
    """Write a groups.csv of original files; return its path."""
    home = folder / name
    home.mkdir(exist_ok=True)
    write_groups(home, "path,sha256,leak_group,fold5,cheng_patient_group", *rows)
    return home / "groups.csv"


def test_tables_are_sorted_and_have_one_row_per_file(tmp_path, capsys):
    rows = [f"a,{'b' * 64},10,1,", f"b,{'a' * 64},9,0,P", f"c,{'a' * 64},9,0,P"]
    build.main([str(original(tmp_path, *rows)), "--to", str(tmp_path / "made")])

    made = tmp_path / "made" / "some.csv.xz"
    table = pd.read_csv(made, dtype=str, keep_default_na=False)
    assert table.to_numpy().tolist() == [["a" * 16, "9", "0", "P"], ["b" * 16, "10", "1", ""]]
    assert str(made) in capsys.readouterr().out
    assert made.read_bytes() == pack_tables([original(tmp_path, *reversed(rows))])["some"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([f"a,{'a' * 63},1,1,"], "1 rows have an invalid sha256 or group, first row 2"),
        ([f"a,{'a' * 64},1,1,", f"b,{'a' * 64},2,1,"], "1 values of sha256_16 have more than one leak_group"),
        ([f"a,{'a' * 64},1,1,", f"b,{'b' * 64},1,2,"], "1 values of leak_group have more than one fold5"),
        ([f"a,{'a' * 64},1,1,P", f"b,{'b' * 64},2,2,P"], "cheng_patient_group have more than one leak_group, first P"),
        ([f"a,{'a' * 64},1,1,", f"b,{'a' * 63}b,1,1,"], "1 values of sha256_16 have more than one sha256"),
    ],
)
def test_contradictions_are_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        pack_tables([original(tmp_path, *rows)])


def test_sets_that_contradict_each_other_are_refused(tmp_path, capsys):
    files = [original(tmp_path, f"a,{'a' * 64},{number},1,", name=f"set{number}") for number in range(2)]

    with pytest.raises(SystemExit, match="2"):
        build.main([*map(str, files), "--to", str(tmp_path / "made")])
    assert "In the sets 1 values of sha256_16 have more than one leak_group" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_missing_columns_are_refused(tmp_path):
    write_groups(tmp_path, "path,leak_group", "a,1")

    with pytest.raises(DataError, match="has no column sha256 and no column fold5 and no column cheng_patient_group"):
        pack_tables([tmp_path / "groups.csv"])


# Real data


@pytest.mark.shared
def test_shipped_tables_are_reproduced_exactly(shared):
    made = pack_tables([shared / "data" / name / "groups.csv" for name in SETS])

    for name in SETS:
        assert lzma.decompress(made[name]) == lzma.decompress((shipped._TABLES / f"{name}.csv.xz").read_bytes()), name


@pytest.mark.shared
@pytest.mark.parametrize("name", SETS)
def test_re_encoded_real_sets(shared, name):
    """Hashes of re-encoded files are unknown; the CSV in their folder has the groups, and equals the shipped table."""
    root = shared / "data" / name
    samples = public_set(name, root).samples
    written = pd.read_csv(root / "groups.csv", dtype=str, keep_default_na=False)
    expected = dict(zip(written["path"].str.removesuffix(".jpg"), written["fold5"], strict=True))

    filled, facts = apply_groups(samples, root)

    assert (facts["matched"], facts["of"], facts["folds"]) == (len(written), len(written), 5)
    assert (facts["sets"], facts["how"]) == ([name], HOW)
    fold = [expected[path.removeprefix(f"{root.resolve()}/").removesuffix(".jpg")] for path in filled["path"]]
    assert filled["fold"].tolist() == fold
    assert filled["group"].nunique() == written["leak_group"].nunique()
    assert set(filled["patient_id"]) == set(written["cheng_patient_group"])


@pytest.mark.shared
def test_original_files_are_found_by_their_hash(shared):
    files = sorted((shared / "data" / "raw_samples").iterdir())
    written = pd.concat(pd.read_csv(shared / "data" / name / "groups.csv", dtype=str) for name in SETS)
    expected = {path.rsplit("/")[-1]: group for path, group in zip(written["path"], written["leak_group"], strict=True)}
    samples = samples_table(
        [
            {"sample_id": file.name, "path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ]
    )

    filled, facts = apply_groups(samples, files[0].parent)

    assert len(files) == facts["matched"] == 11
    assert filled["group"].tolist() == [f"curated-{expected[name]}" for name in filled["sample_id"]]
    assert facts["folds"] == 0
