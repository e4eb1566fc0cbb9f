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
from data.public.server import open_shop

from brain_tumor.data.public import public_set
from brain_tumor.data.public.fetch import download, fetch, releases
from brain_tumor.data.public.fetch import download as archive
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
def shop(monkeypatch, cheng_zip):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with open_shop() as opened:
        monkeypatch.setattr(releases, "FIGSHARE", f"{opened.address}/list/figshare#{{}}")
        monkeypatch.setattr(releases, "ZENODO", f"{opened.address}/list/zenodo#{{}}")
        opened.files = {"brainTumorDataPublic_1-766.zip": cheng_zip, "README.txt": b"read me"}
        yield opened


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_figshare_is_fetched_and_unpacked(shop, tmp_path):
    assert fetch(CHENG, tmp_path / "out") == tmp_path / "out"

    assert left(tmp_path) == ["out"]
    assert len(public_set("cheng", tmp_path / "out")) == 6
    assert (tmp_path / "out" / "README.txt").read_text() == "read me"


def test_zenodo_is_fetched_and_unpacked(shop, tmp_path):
    shop.files = {"brisc2025.zip": zipped(write("brisc2025", tmp_path / "in", train=2, test=1))}

    fetch(SETS["brisc2025"], tmp_path / "out")

    assert len(public_set("brisc2025", tmp_path / "out")) == 12


@pytest.mark.parametrize("faults", [["cut"], [503, "cut", 500], ["cut", "no range"], [429]])
def test_passing_faults_are_got_over(shop, faults, tmp_path):
    shop.faults["brainTumorDataPublic_1-766.zip"] = list(faults)

    fetch(CHENG, tmp_path / "out")

    assert len(public_set("cheng", tmp_path / "out")) == 6


def test_it_goes_on_where_it_broke_off(shop, cheng_zip, tmp_path):
    name = "brainTumorDataPublic_1-766.zip"
    shop.faults[name] = ["cut"] + [503] * (download.ATTEMPTS - 1)
    with pytest.raises(
        DataError, match="call the command again to go on where it stopped, or download https://figshare"
    ):
        fetch(CHENG, tmp_path / "out")
    assert left(tmp_path) == [".out.download"]
    shop.log.clear()

    fetch(CHENG, tmp_path / "out")

    assert (name, f"bytes={len(cheng_zip) // 2}-") in shop.log
    assert left(tmp_path) == ["out"]


def test_files_that_came_whole_do_not_come_again(shop, tmp_path):
    shop.faults["README.txt"] = [404]
    with pytest.raises(DataError, match=r"README\.txt answers 404 Not Found"):
        fetch(CHENG, tmp_path / "out")
    shop.log.clear()

    fetch(CHENG, tmp_path / "out")

    assert [name for name, _ in shop.log] == ["list/figshare", "README.txt"]


def test_a_wrong_checksum_is_not_kept(shop, tmp_path):
    shop.md5["README.txt"] = "0" * 32

    with pytest.raises(DataError, match=r"README\.txt arrived damaged and was removed") as caught:
        fetch(CHENG, tmp_path / "out")

    assert "\n" not in str(caught.value)
    assert left(tmp_path / ".out.download") == ["brainTumorDataPublic_1-766.zip"]


def test_a_part_that_is_too_long_starts_anew(shop, tmp_path):
    (tmp_path / ".out.download").mkdir()
    (tmp_path / ".out.download" / "README.txt.part").write_bytes(b"another file, longer")

    fetch(CHENG, tmp_path / "out")

    assert (tmp_path / "out" / "README.txt").read_text() == "read me"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda shop: shop.faults.update({"list/figshare": [403]}), "answers 403 Forbidden"),
        (
            lambda shop: shop.faults.update({"list/figshare": [503] * 9}),
            r"cannot be downloaded \(the server answers 503",
        ),
        (lambda shop: shop.files.clear(), "lists no files"),
        (lambda shop: shop.files.update({"a.zip": b"no zip"}), "a.zip cannot be unpacked"),
        (lambda shop: setattr(shop, "figshare", lambda: b"<html>"), "answers something that is no list of files"),
        (
            lambda shop: setattr(
                shop, "figshare", lambda: b'[{"name": "x", "size": 3, "download_url": "file:///etc/passwd"}]'
            ),
            "is no web address",
        ),
    ],
)
def test_lasting_faults_end_in_one_sentence(shop, spoil, sentence, tmp_path):
    spoil(shop)

    with pytest.raises(DataError, match=sentence) as caught:
        fetch(CHENG, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(releases, "FIGSHARE", "http://127.0.0.1:1/{}")

    with pytest.raises(DataError, match=r"cannot be downloaded \(.*refused.*by hand, unpack it into DIR"):
        fetch(CHENG, tmp_path / "out")
    assert left(tmp_path) == []


def test_a_full_disk(shop, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(
        DataError, match=r"cheng needs 0\.0 GB while it is unpacked, and .* give a folder on another disk"
    ):
        fetch(CHENG, tmp_path / "out")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.undo()
    monkeypatch.setattr(releases, "FIGSHARE", f"{shop.address}/list/figshare#{{}}")
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DataError, match=r"cannot take cheng \(No space left on device\); make room there"):
        fetch(CHENG, tmp_path / "out")
    assert left(tmp_path) == [".out.download"]


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(DataError, match="is not empty; give a folder that is empty"):
        fetch(CHENG, tmp_path)


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil", link("l")])
def test_archives_stay_in_their_folder(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("good.txt", "good")
        packed.writestr(name, "/etc")
    (tmp_path / "out").mkdir()

    with pytest.raises(DataError, match="would lie outside its folder"):
        archive.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_archives_in_archives(tmp_path):
    content, path = b"deep", tmp_path / "a.zip"
    for _ in range(3):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("x.txt" if content == b"deep" else "inner.zip", content)
        content = path.read_bytes()
    archive.unpack(path, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").rglob("*")] == ["x.txt"]

    for _ in range(2):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("inner.zip", content)
        content = path.read_bytes()
    with pytest.raises(DataError, match="archives inside archives inside archives"):
        archive.unpack(path, tmp_path / "again")


def kaggle(monkeypatch, download):
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=download))


def test_kaggle_brings_the_pinned_version(monkeypatch, tmp_path):
    def bring(handle):
        assert handle == "masoudnickparvar/brain-tumor-mri-dataset/versions/1"
        return str(write("nickparvar", Path(os.environ["KAGGLEHUB_CACHE"]) / "datasets" / "1", train=2, test=1))

    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    kaggle(monkeypatch, bring)

    assert fetch(SETS["nickparvar"], tmp_path / "out") == tmp_path / "out"

    assert left(tmp_path) == ["out"]
    assert len(public_set("nickparvar", tmp_path / "out")) == 12


def test_kaggle_notebooks_have_it_already(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLEHUB_CACHE", "mine")
    kaggle(monkeypatch, lambda _: str(write("navoneel", tmp_path / "input", train=2)))

    assert fetch(SETS["navoneel"], tmp_path / "out") == tmp_path / "input"
    assert left(tmp_path) == ["input"]


class RefusedError(Exception):
    def __init__(self, status):
        super().__init__(f"{status} Client Error.\n\nmore lines")
        self.response = SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            RefusedError(401),
            "wants to know who fetches br35h; make an API token .*KAGGLE_API_TOKEN.* or download https://",
        ),
        (RefusedError(403), "wants to know who fetches br35h"),
        (type("UnauthenticatedError", (Exception,), {})("no"), "wants to know who fetches br35h"),
        (RefusedError(404), "has no ahmedhamada0/brain-tumor-detection any more"),
        (RefusedError(500), r"cannot be had from Kaggle \(500 Client Error\); see that the network is up"),
        (ConnectionError("HTTPSConnectionPool(host=…)"), r"cannot be had from Kaggle \(no connection\); see that"),
        (ValueError(), r"cannot be had from Kaggle \(ValueError\)"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot take br35h .*make room"),
    ],
)
def test_kaggle_faults_end_in_one_sentence(error, sentence, monkeypatch, tmp_path):
    def fail(_):
        raise error

    kaggle(monkeypatch, fail)

    with pytest.raises(DataError, match=sentence) as caught:
        fetch(SETS["br35h"], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_without_kaggles_client(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "kagglehub", None)

    with pytest.raises(DataError, match=r"pip install 'brain-tumor\[fetch\]', or download https://www\.kaggle\.com"):
        fetch(SETS["br35h"], tmp_path / "out")
