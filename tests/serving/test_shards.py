"""Shards: several jobs share a set, and the merged tables are those of one job."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from data.readers.clinical import ball, write_nifti, write_series
from factories import CENTRES, save
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.samples import samples_table
from brain_tumor.errors import ConfigError
from brain_tumor.pipelines import prediction
from brain_tumor.predict import predict
from brain_tumor.serving.shards import Shard, blocks


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for label in CENTRES:
        for number in range(3):
            save(folder / f"{label}{number}.png", label, number)
    write_nifti(folder / "p1" / "t1.nii.gz", ball())
    write_series(folder / "series")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def whole(trained, scans, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "a.csv"
    predict([f"bundle={trained}", f"input={scans}", f"output={out}"], out.parent)
    return out


def same(found, expected):
    for name in ("a.csv", "a_volumes.csv"):
        one, other = (pd.read_csv(place / name, dtype=str, keep_default_na=False) for place in (found, expected))
        assert list(one) == list(other)
        for column in one:
            if column.startswith("p_"):  # other batches: the last digit may differ
                np.testing.assert_allclose(one[column].astype(float), other[column].astype(float), atol=2e-6)
            else:
                assert one[column].tolist() == other[column].tolist(), column


@pytest.mark.parametrize("count", [2, 5, pytest.param(40, marks=pytest.mark.slow)])
def test_merged_tables_are_those_of_one_job(trained, scans, whole, tmp_path, count):
    options = [f"bundle={trained}", f"input={scans}", f"output={tmp_path / 'a.csv'}", f"shards={count}"]
    for shard in np.random.default_rng(0).permutation(count):
        assert not (tmp_path / "a.csv").exists()
        predict([*options, f"shard={shard}"], tmp_path / "log")

    same(tmp_path, whole.parent)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        "a.csv", "a_volumes.csv", *(["log"] if (tmp_path / "log").exists() else []),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_sweep_of_shards(trained, scans, whole, tmp_path):
    command = [
        sys.executable, "-m", "brain_tumor", "predict", "--multirun", f"bundle={trained}", f"input={scans}",
        f"output={tmp_path / 'a.csv'}", "shards=3", "shard=range(3)", f"hydra.sweep.dir={tmp_path / 'sweep'}",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)

    same(tmp_path, whole.parent)


@settings(deadline=None)
@given(count=st.integers(1, 9), series=st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=40))
def test_each_image_belongs_to_one_shard_and_volumes_stay_together(count, series):
    samples = samples_table(
        [{"sample_id": f"{n:03}", "path": f"{n:03}", "series": name} for n, name in enumerate(series)]
    )
    shares = [Shard(number, count).of(samples) for number in range(count)]

    assert sorted(pd.concat(shares)["sample_id"]) == samples["sample_id"].tolist()
    for name in {"a", "b", "c"} & set(series):
        assert sum(name in set(share["series"]) for share in shares) == 1
    units = [share["path"].where(share["series"] == "", share["series"]).nunique() for share in shares]
    assert max(units) - min(units) <= 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["shards=2"], "one file for all shards"),
        (["shards=2", "shard=2", "output={out}"], "Invalid shard=2: expected a whole number from 0 to 1"),
        (["shards=2", "output={out}.json"], "expected a name that ends in .csv"),
        (["shards=2", "output={out}", "report=a.html"], "no report, or shards=1"),
    ],
)
def test_mistakes(trained, scans, tmp_path, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        predict([f"bundle={trained}", f"input={scans}", *(o.format(out=tmp_path / "a.csv") for o in options)], tmp_path)


@settings(deadline=None)
@given(size=st.integers(1, 9), series=st.lists(st.sampled_from(["", "", "a", "b", "c"]), max_size=40))
def test_blocks_cut_no_volume_and_are_no_larger_than_needed(size, series):
    samples = samples_table(
        [{"sample_id": f"{n:03}", "path": f"{n:03}", "series": name} for n, name in enumerate(series)]
    )
    found = list(blocks(samples, size))

    assert pd.concat(found)["sample_id"].tolist() == samples["sample_id"].tolist()
    volumes = [set(block["series"]) - {""} for block in found]
    assert sum(map(len, volumes)) == len(set().union(*volumes))
    for block in found[:-1]:
        assert len(block) >= size
    if not any(series):
        assert all(len(block) == size for block in found[:-1])


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "xlsx"])
def test_answers_in_blocks_are_those_of_one(trained, scans, tmp_path, monkeypatch, kind):
    def answers(name):
        table = predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / name / f'a.{kind}'}"], tmp_path)
        if kind == "csv":
            same(tmp_path / name, tmp_path / "one")
        if kind == "xlsx":
            return table, pd.read_excel(tmp_path / name / "a.xlsx", sheet_name=None)
        text = (tmp_path / name / f"a.{kind}").read_text()
        return table, sorted(text.splitlines()) if kind == "jsonl" else text

    table, document = answers("one")
    monkeypatch.setattr(prediction, "BLOCK", 5)
    again, in_blocks = answers("blocks")

    pd.testing.assert_frame_equal(again, table, atol=1e-6)
    if kind == "xlsx":
        for sheet, expected in document.items():
            pd.testing.assert_frame_equal(in_blocks[sheet], expected, atol=2e-6)
    elif kind == "jsonl":
        assert len(in_blocks) == len(document)
        assert [line[:60] for line in in_blocks] == [line[:60] for line in document]


def test_an_error_in_a_later_block_leaves_no_answers(trained, scans, tmp_path, monkeypatch):
    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise ConfigError("The second block fails.")
        return original(*arguments)

    calls, original = [], prediction.predict_images
    monkeypatch.setattr(prediction, "BLOCK", 5)
    monkeypatch.setattr(prediction, "predict_images", broken)
    with pytest.raises(ConfigError):
        predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / 'a.csv'}"], tmp_path)

    assert list(tmp_path.iterdir()) == []
