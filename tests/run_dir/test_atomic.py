import json

import pytest

from brain_tumor.errors import DataError, RunDirError
from brain_tumor.run_dir.atomic import published_file, published_folder, read_json, write_json


def fill(publish, path, *, fail=False):
    with publish(path) as draft:
        (draft / "file" if publish is published_folder else draft).write_text("new")
        assert draft.parent == path.parent
        if fail:
            raise ZeroDivisionError


def content(path):
    return (path / "file" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("publish", [published_file, published_folder])
def test_nothing_but_the_complete_result_remains(publish, tmp_path):
    fill(publish, tmp_path / "x")

    assert content(tmp_path / "x") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("publish", [published_file, published_folder])
def test_an_error_leaves_nothing(publish, tmp_path):
    with pytest.raises(ZeroDivisionError):
        fill(publish, tmp_path / "x", fail=True)

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_and_an_error_keeps_the_old_one(tmp_path):
    (tmp_path / "x").write_text("old")

    with pytest.raises(ZeroDivisionError):
        fill(published_file, tmp_path / "x", fail=True)
    assert content(tmp_path / "x") == "old"
    fill(published_file, tmp_path / "x")
    assert content(tmp_path / "x") == "new"


def test_the_folder_of_the_faster_process_stays(tmp_path):
    with published_folder(tmp_path / "x") as draft:
        (draft / "file").write_text("slower")
        fill(published_folder, tmp_path / "x")

    assert content(tmp_path / "x") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DataError, match=r"cannot be written .*; choose a writable folder .* paths\.cache_dir"):
        fill(published_folder, tmp_path / "file" / "x")


def test_json_is_read_back_and_has_no_nan(tmp_path):
    write_json({"a": 1}, tmp_path / "x.json")

    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "x.json")
    assert read_json(tmp_path / "x.json") == json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_damaged_json_is_one_sentence(text, tmp_path):
    (tmp_path / "x.json").write_text(text, errors="surrogateescape")

    with pytest.raises(RunDirError, match=r"x\.json is damaged.*: expected"):
        read_json(tmp_path / "x.json")
