import pytest

from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_file, published_folder


def fill(publish, path, *, fail=False):
    with publish(path) as draft:
        (draft / "part" if publish is published_folder else draft).write_text("new")
        assert draft.parent == path.parent
        if fail:
            raise ZeroDivisionError


def content(path):
    return (path / "part" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("publish", [published_file, published_folder])
def test_it_appears_whole_and_alone(publish, tmp_path):
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


def test_the_faster_process_keeps_its_folder(tmp_path):
    with published_folder(tmp_path / "x") as draft:
        (draft / "part").write_text("slower")
        fill(published_folder, tmp_path / "x")

    assert content(tmp_path / "x") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DataError, match=r"could not be filled .*; set paths\.cache_dir"):
        fill(published_folder, tmp_path / "file" / "x")
