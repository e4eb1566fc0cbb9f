import errno
import io
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from data.public.layouts import write
from data.public.server import running_server

from brain_tumor.data.public import public_set
from brain_tumor.data.public.fetch import download, fetch, repositories
from brain_tumor.data.public.registry import SETS
from brain_tumor.errors import DataError

CHENG = SETS["cheng"]


def zipped(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def cheng_zip(tmp_path_factory):
    return zipped(write("cheng", tmp_path_factory.mktemp("cheng"), train=2))


@pytest.fixture
def server(monkeypatch, cheng_zip):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with running_server() as server:
        monkeypatch.setattr(repositories, "FIGSHARE", f"{server.address}/list/figshare#{{}}")
        monkeypatch.setattr(repositories, "ZENODO", f"{server.address}/list/zenodo#{{}}")
        server.files = {"brainTumorDataPublic_1-766.zip": cheng_zip, "README.txt": b"read me"}
        yield server


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_figshare_is_fetched_and_unpacked(server, tmp_path):
    assert fetch(CHENG, tmp_path / "out") == tmp_path / "out"

    assert names_in(tmp_path) == ["out"]
    assert len(public_set("cheng", tmp_path / "out").samples) == 6
    assert (tmp_path / "out" / "README.txt").read_text() == "read me"


def test_zenodo_is_fetched_and_unpacked(server, tmp_path):
    server.files = {"brisc2025.zip": zipped(write("brisc2025", tmp_path / "in", train=2, test=1))}

    fetch(SETS["brisc2025"], tmp_path / "out")

    assert len(public_set("brisc2025", tmp_path / "out").samples) == 12


@pytest.mark.parametrize("faults", [["cut"], [503, "cut", 500], ["cut", "no range"], [429]])
def test_transient_errors_are_retried(server, faults, tmp_path):
    server.faults["brainTumorDataPublic_1-766.zip"] = list(faults)

    fetch(CHENG, tmp_path / "out")

    assert len(public_set("cheng", tmp_path / "out").samples) == 6


def test_an_interrupted_download_is_resumed(server, cheng_zip, tmp_path):
    name = "brainTumorDataPublic_1-766.zip"
    server.faults[name] = ["cut"] + [503] * (download.ATTEMPTS - 1)
    with pytest.raises(DataError, match="repeat the command to resume the download, or download https://figshare"):
        fetch(CHENG, tmp_path / "out")
    assert names_in(tmp_path) == [".out.download"]
    server.log.clear()

    fetch(CHENG, tmp_path / "out")

    assert (name, f"bytes={len(cheng_zip) // 2}-") in server.log
    assert names_in(tmp_path) == ["out"]


def test_complete_files_are_not_downloaded_again(server, tmp_path):
    server.faults["README.txt"] = [404]
    with pytest.raises(DataError, match=r"README\.txt answers 404 Not Found"):
        fetch(CHENG, tmp_path / "out")
    server.log.clear()

    fetch(CHENG, tmp_path / "out")

    assert [name for name, _ in server.log] == ["list/figshare", "README.txt"]


def test_a_file_with_a_wrong_checksum_is_removed(server, tmp_path):
    server.md5["README.txt"] = "0" * 32

    with pytest.raises(DataError, match=r"README\.txt was damaged in transfer and is removed") as caught:
        fetch(CHENG, tmp_path / "out")

    assert "\n" not in str(caught.value)
    assert names_in(tmp_path / ".out.download") == ["brainTumorDataPublic_1-766.zip"]


def test_an_incomplete_file_that_is_too_long_is_discarded(server, tmp_path):
    (tmp_path / ".out.download").mkdir()
    (tmp_path / ".out.download" / "README.txt.part").write_bytes(b"another file, longer")

    fetch(CHENG, tmp_path / "out")

    assert (tmp_path / "out" / "README.txt").read_text() == "read me"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda server: server.faults.update({"list/figshare": [403]}), "answers 403 Forbidden"),
        (
            lambda server: server.faults.update({"list/figshare": [503] * 9}),
            r"cannot be downloaded \(the server answers 503",
        ),
        (lambda server: server.files.clear(), "lists no files"),
        (lambda server: server.files.update({"a.zip": b"no zip"}), "a.zip cannot be unpacked"),
        (lambda server: setattr(server, "figshare", lambda: b"<html>"), "returned something that is no list of files"),
        (
            lambda server: setattr(
                server, "figshare", lambda: b'[{"name": "x", "size": 3, "download_url": "file:///etc/passwd"}]'
            ),
            "is no web address",
        ),
    ],
)
def test_permanent_errors_have_one_line(server, spoil, sentence, tmp_path):
    spoil(server)

    with pytest.raises(DataError, match=sentence) as caught:
        fetch(CHENG, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_network_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(repositories, "FIGSHARE", "http://127.0.0.1:1/{}")

    with pytest.raises(DataError, match=r"cannot be downloaded \(.*refused.*by hand, unpack it into DIR"):
        fetch(CHENG, tmp_path / "out")
    assert names_in(tmp_path) == []


def test_a_full_disk_is_an_error(server, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(
        DataError, match=r"cheng needs 0\.0 GB to be downloaded and unpacked, and .* give a folder on another disk"
    ):
        fetch(CHENG, tmp_path / "out")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.undo()
    monkeypatch.setattr(repositories, "FIGSHARE", f"{server.address}/list/figshare#{{}}")
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(
        DataError, match=r"cheng cannot be written to .* \(No space left on device\): free some space there"
    ):
        fetch(CHENG, tmp_path / "out")
    assert names_in(tmp_path) == [".out.download"]


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(DataError, match="is not empty: give a folder that is empty"):
        fetch(CHENG, tmp_path)


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil", link("l")])
def test_members_outside_the_folder_are_refused(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("good.txt", "good")
        packed.writestr(name, "/etc")
    (tmp_path / "out").mkdir()

    with pytest.raises(DataError, match="would be outside the target folder"):
        download.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert names_in(tmp_path / "out") == []


def test_nested_archives_are_unpacked_up_to_a_limit(tmp_path):
    content, path = b"deep", tmp_path / "a.zip"
    for _ in range(3):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("x.txt" if content == b"deep" else "inner.zip", content)
        content = path.read_bytes()
    download.unpack(path, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").rglob("*")] == ["x.txt"]

    for _ in range(2):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("inner.zip", content)
        content = path.read_bytes()
    with pytest.raises(DataError, match="more than 3 levels of archives inside archives"):
        download.unpack(path, tmp_path / "again")


def kaggle(monkeypatch, download):
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=download))


def test_kaggle_downloads_the_pinned_version(monkeypatch, tmp_path):
    def fake_download(handle):
        assert handle == "masoudnickparvar/brain-tumor-mri-dataset/versions/1"
        return str(write("nickparvar", Path(os.environ["KAGGLEHUB_CACHE"]) / "datasets" / "1", train=2, test=1))

    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    kaggle(monkeypatch, fake_download)

    assert fetch(SETS["nickparvar"], tmp_path / "out") == tmp_path / "out"

    assert names_in(tmp_path) == ["out"]
    assert len(public_set("nickparvar", tmp_path / "out").samples) == 12


def test_kaggle_notebooks_already_have_the_set(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLEHUB_CACHE", "mine")
    kaggle(monkeypatch, lambda _: str(write("navoneel", tmp_path / "input", train=2)))

    assert fetch(SETS["navoneel"], tmp_path / "out") == tmp_path / "input"
    assert names_in(tmp_path) == ["input"]


class RefusedError(Exception):
    def __init__(self, status):
        super().__init__(f"{status} Client Error.\n\nmore lines")
        self.response = SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            RefusedError(401),
            "requires a login to download br35h: create an API token .*KAGGLE_API_TOKEN.* or download https://",
        ),
        (RefusedError(403), "requires a login to download br35h"),
        (type("UnauthenticatedError", (Exception,), {})("no"), "requires a login to download br35h"),
        (RefusedError(404), "has no ahmedhamada0/brain-tumor-detection any more"),
        (RefusedError(500), r"cannot be downloaded from Kaggle \(500 Client Error\): check the network"),
        (
            ConnectionError("HTTPSConnectionPool(host=…)"),
            r"cannot be downloaded from Kaggle \(no connection\): check the network",
        ),
        (ValueError(), r"cannot be downloaded from Kaggle \(ValueError\)"),
        (OSError(errno.ENOSPC, "No space left on device"), "br35h cannot be written to .*free some space"),
    ],
)
def test_kaggle_errors_have_one_line(error, sentence, monkeypatch, tmp_path):
    def fail(_):
        raise error

    kaggle(monkeypatch, fail)

    with pytest.raises(DataError, match=sentence) as caught:
        fetch(SETS["br35h"], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []


def test_without_the_kaggle_client(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "kagglehub", None)

    with pytest.raises(DataError, match=r"pip install 'brain-tumor\[fetch\]', or download https://www\.kaggle\.com"):
        fetch(SETS["br35h"], tmp_path / "out")
