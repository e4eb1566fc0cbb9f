"""Download sets from figshare or Zenodo, which are open to everyone and publish sizes and checksums."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from brain_tumor.data.public.fetch import disk_errors, manual_download
from brain_tumor.data.public.fetch.download import DownloadError, RemoteFile, download, open_url, unpack, with_retries
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_folder

FIGSHARE = "https://api.figshare.com/v2/articles/{}/files?page_size=1000"
ZENODO = "https://zenodo.org/api/records/{}"
_SPACE_FACTOR = 3
"""Space that is needed, in multiples of the download: the archives themselves and their unpacked content."""


def download_set(dataset: PublicSet, address: str, work: Path, folder: Path) -> Path:
    """Download the files of an article or record, unpack them and publish the complete set as ``folder``.

    Args:
        dataset: Public set to download.
        address: Number of the figshare article or Zenodo record.
        work: Folder of the download; it keeps an incomplete download.
        folder: Target folder.

    Raises:
        DataError: The files cannot be downloaded, are damaged, or do not fit on the disk.
    """
    try:
        files = _LISTS[dataset.source.partition(":")[0]](address)
        _require_space(dataset, files, work)
        _download_all(files, work)
    except DownloadError as error:
        raise DataError(
            f"{str(error).rstrip('.')}; repeat the command to resume the download, or {manual_download(dataset)}."
        ) from error
    with published_folder(folder) as draft, disk_errors(work, dataset):
        for file in files:
            if file.name.lower().endswith(".zip"):
                unpack(work / file.name, draft)
            else:
                shutil.copyfile(work / file.name, draft / file.name)
    return folder


def _list_figshare(article: str) -> list[RemoteFile]:
    return [
        RemoteFile(Path(entry["name"]).name, entry["download_url"], int(entry["size"]), entry.get("computed_md5") or "")
        for entry in _json(FIGSHARE.format(article), list)
    ]


def _list_zenodo(record: str) -> list[RemoteFile]:
    return [
        RemoteFile(
            Path(entry["key"]).name,
            entry["links"]["self"],
            int(entry["size"]),
            str(entry.get("checksum", "")).removeprefix("md5:"),
        )
        for entry in _json(ZENODO.format(record), dict)["files"]
    ]


_LISTS: Mapping[str, Callable[[str], list[RemoteFile]]] = {"figshare": _list_figshare, "zenodo": _list_zenodo}


def _json(url: str, kind: type) -> Any:
    """Download a JSON document of a type, list or dict."""
    document: Any = None

    def load() -> None:
        nonlocal document
        with open_url(url) as response:
            document = json.load(response)

    try:
        with_retries(load, f"The list of files {url}")
    except ValueError as error:
        raise DownloadError(f"{url} returned something that is no list of files") from error
    if not isinstance(document, kind) or not document:
        raise DownloadError(f"{url} lists no files")
    return document


def _require_space(dataset: PublicSet, files: list[RemoteFile], work: Path) -> None:
    missing = sum(file.size for file in files if not (work / file.name).is_file())
    free, needed = shutil.disk_usage(work).free, _SPACE_FACTOR * missing
    if needed > free:
        raise DataError(
            f"{dataset.name} needs {needed / 1e9:.1f} GB to be downloaded and unpacked, and {work.parent} has "
            f"{free / 1e9:.1f} GB free: give a folder on another disk: brain-tumor data fetch {dataset.name} DIR."
        )


def _download_all(files: list[RemoteFile], work: Path) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for file in files:
            task = progress.add_task(file.name, total=file.size)
            download(file, work, lambda size, task=task: progress.advance(task, size))  # type: ignore[misc]
