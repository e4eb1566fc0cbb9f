"""Sets that lie in figshare or Zenodo: open to all, with sizes and checksums."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from brain_tumor.data.public.fetch import by_hand, writable
from brain_tumor.data.public.fetch.download import DownloadError, RemoteFile, download, open_url, patiently, unpack
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_folder

FIGSHARE = "https://api.figshare.com/v2/articles/{}/files?page_size=1000"
ZENODO = "https://zenodo.org/api/records/{}"
_UNPACKED = 3  # times the size of the archives: themselves and what comes out of them


def get(published: PublicSet, where: str, work: Path, folder: Path) -> Path:
    """Download an article's or a record's files to ``work``, unpack them and publish the whole as ``folder``.

    Raises:
        DataError: They cannot be had, are damaged, or there is no room for them.
    """
    try:
        files = _LISTS[published.source.partition(":")[0]](where)
        _require_room(published, files, work)
        _download_all(files, work)
    except DownloadError as error:
        raise DataError(
            f"{str(error).rstrip('.')}; call the command again to go on where it stopped, or {by_hand(published)}."
        ) from error
    with published_folder(folder) as draft, writable(work, published):
        for file in files:
            if file.name.lower().endswith(".zip"):
                unpack(work / file.name, draft)
            else:
                shutil.copyfile(work / file.name, draft / file.name)
    return folder


def _figshare(article: str) -> list[RemoteFile]:
    return [
        RemoteFile(Path(entry["name"]).name, entry["download_url"], int(entry["size"]), entry.get("computed_md5") or "")
        for entry in _json(FIGSHARE.format(article), list)
    ]


def _zenodo(record: str) -> list[RemoteFile]:
    return [
        RemoteFile(
            Path(entry["key"]).name,
            entry["links"]["self"],
            int(entry["size"]),
            str(entry.get("checksum", "")).removeprefix("md5:"),
        )
        for entry in _json(ZENODO.format(record), dict)["files"]
    ]


_LISTS: Mapping[str, Callable[[str], list[RemoteFile]]] = {"figshare": _figshare, "zenodo": _zenodo}


def _json(url: str, kind: type) -> Any:
    answer: Any = None

    def ask() -> None:
        nonlocal answer
        with open_url(url) as response:
            answer = json.load(response)

    try:
        patiently(ask, f"The list of files {url}")
    except ValueError as error:
        raise DownloadError(f"{url} answers something that is no list of files") from error
    if not isinstance(answer, kind) or not answer:
        raise DownloadError(f"{url} lists no files")
    return answer


def _require_room(published: PublicSet, files: list[RemoteFile], work: Path) -> None:
    missing = sum(file.size for file in files if not (work / file.name).is_file())
    free, needed = shutil.disk_usage(work).free, _UNPACKED * missing
    if needed > free:
        raise DataError(
            f"{published.name} needs {needed / 1e9:.1f} GB while it is unpacked, and {work.parent} has "
            f"{free / 1e9:.1f} GB free; give a folder on another disk: brain-tumor data fetch {published.name} DIR."
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
