import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brain_tumor.data.baseline import nearest
from brain_tumor.data.fingerprint import fingerprint
from brain_tumor.data.folder_and_manifest import manifest
from brain_tumor.data.phantom import phantom, store
from brain_tumor.data.splits import Holdout
from brain_tumor.errors import DataError

SMALL = {"patients": 12, "slices": 2, "size": 32}


def content(table):
    return [Path(path).read_bytes() for column in ("path", "mask_path") for path in table[column] if path]


def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path):
    serial, parallel = (phantom(tmp_path / str(jobs), **SMALL, jobs=jobs) for jobs in (1, 2))

    assert content(serial) == content(parallel)
    assert serial.drop(columns=["path", "mask_path"]).equals(parallel.drop(columns=["path", "mask_path"]))
    assert content(serial) != content(phantom(tmp_path / "1", **SMALL, seed=1, jobs=1))


def test_samples_have_patient_source_plane_and_mask(tmp_path):
    table = phantom(tmp_path, **SMALL, jobs=1)

    assert table["label"].value_counts().to_dict() == dict.fromkeys(
        ("glioma", "meningioma", "no_tumor", "pituitary"), 6
    )
    assert table["patient_id"].nunique() == 12
    assert (table[["source", "plane"]] != "").all(axis=None)
    assert ((table["mask_path"] == "") == (table["label"] == "no_tumor")).all()
    for row in table.itertuples():
        with Image.open(row.path) as image:
            assert (image.mode, image.size) == ("L", (32, 32))
        if row.mask_path:
            with Image.open(row.mask_path) as mask:
                assert mask.mode == "1"
                assert np.asarray(mask).any()


def test_files_are_generated_once(tmp_path):
    first = phantom(tmp_path, **SMALL, jobs=1)
    written = [Path(path).stat().st_mtime_ns for path in first["path"]]

    second = phantom(tmp_path, **SMALL, jobs=1)

    assert [Path(path).stat().st_mtime_ns for path in second["path"]] == written


def test_the_folder_is_a_manifest_data_set(tmp_path):
    table = phantom(tmp_path, **SMALL, jobs=1)

    again = manifest(next(tmp_path.glob("phantom-*")) / "samples.csv")

    assert again.samples.equals(table)


def test_an_interrupted_generation_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "write_table", fail)
    with pytest.raises(KeyboardInterrupt):
        phantom(tmp_path, **SMALL, jobs=1)

    assert list(tmp_path.iterdir()) == []


def test_concurrent_generations_agree(tmp_path):
    tables = [None, None]

    def make(number):
        tables[number] = phantom(tmp_path, **SMALL, jobs=1)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tables[0].equals(tables[1])
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("wrong", [{"patients": 11}, {"slices": 0}, {"size": 31}, {"size": 513}])
def test_arguments_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(DataError, match="expected at least 12 patients and 1 slice, and 32 to 512 px"):
        phantom(tmp_path, **SMALL | wrong)


def test_the_1_nn_baseline_does_not_solve_the_task(tmp_path):
    table = phantom(tmp_path, patients=120, slices=3, size=48, jobs=2)
    split = Holdout(val=0.2, test=0.2)(table.assign(group=table["patient_id"]))["split"].to_numpy()
    views = np.stack([fingerprint(np.asarray(Image.open(path))) for path in table["path"]])
    labels = table["label"].astype("category").cat.codes.to_numpy()
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split != "train")

    rows = nearest(views, train, test)

    assert 0.25 < np.mean(labels[rows] == labels[test]) < 0.75
