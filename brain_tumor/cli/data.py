"""``brain-tumor data``: list, fetch and check the public data sets; list, verify and evict cached images."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from brain_tumor.cli.terminal import WIDTH, console
from brain_tumor.data.public.registry import SETS, Counts, PublicSet, find_set
from brain_tumor.errors import BrainTumorError, DataError, PreemptedError
from brain_tumor.training.signals import stop_signals

if TYPE_CHECKING:
    from brain_tumor.data.cache.eviction import StoredEntry

_EXAMPLES = """examples:
  brain-tumor data list                    all sets
  brain-tumor data list cheng              one set: licence, citation, known leakage and label errors
  brain-tumor data fetch cheng             download into data/cheng; no account needed
  brain-tumor data fetch nickparvar DIR    with Kaggle's client: pip install 'brain-tumor[fetch]'
  brain-tumor data check DIR               recognise a set and compare it with what was published
  brain-tumor data cache                   list the cache of decoded images
  brain-tumor data cache --verify          verify the checksum of every image in it
  brain-tumor data cache --evict 10        remove the least recently used entries, down to 10 GB; 0 removes all
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb; exits with 2 on a mistake of the user, and if a data set is not as published."""
    parsed = _parser().parse_args(arguments)
    try:
        with stop_signals("run it again to continue"):
            parsed.call(parsed)
    except (BrainTumorError, PreemptedError) as error:
        print(f"brain-tumor data {parsed.command}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _list(parsed: argparse.Namespace) -> None:
    chosen = [find_set(name) for name in parsed.names] or list(SETS.values())
    if parsed.names or parsed.long:
        print("\n\n".join(details(published) for published in chosen))
        return
    console().print(overview(chosen))
    print("\nbrain-tumor data list NAME describes one set; brain-tumor data fetch NAME downloads it.")


def _fetch(parsed: argparse.Namespace) -> None:
    from brain_tumor.data.public.fetch import fetch

    published = find_set(parsed.name)
    folder = Path(parsed.folder or Path("data", published.name)).expanduser()
    if _is_whole(folder, published.name):
        print(f"{folder} already contains {published.name}; nothing to do.")
        root = folder
    else:
        print(f"{published.title}\nlicence: {published.licence}", file=sys.stderr)
        root = fetch(published, folder.absolute())
    _report(root, published.name)
    print(f"\n{training_command(published, root)}")


def _check(parsed: argparse.Namespace) -> None:
    _report(Path(parsed.root), parsed.set)


def _cache(parsed: argparse.Namespace) -> None:
    from brain_tumor.data.cache.eviction import GB, evict, list_entries

    folder = cache_folder(parsed.folder)
    if parsed.evict is not None:
        removed = evict(folder, parsed.evict)
        print(f"{len(removed)} entries removed ({sum(entry.size for entry in removed) / GB:.2f} GB).")
    entries = list_entries(folder)
    damaged = find_damage(entries) if parsed.verify else None
    print(f"{folder}: {len(entries)} entries, {sum(entry.size for entry in entries) / GB:.2f} GB")
    console().print(entries_table(entries, damaged))
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(entries)} entries are damaged; their images will be decoded again when needed."
        )


def _is_whole(folder: Path, name: str) -> bool:
    from brain_tumor.data.public.compare_with_published import check

    try:
        return not check(folder, name).difference
    except DataError:
        return False


def _report(root: Path, name: str | None) -> None:
    from brain_tumor.data.public.compare_with_published import check, check_table

    result = check(root, name)
    published, version = result.dataset, result.release.version
    print(f"{result.root} is {published.name}" + (f", version {version}" if version else "") + f": {published.title}")
    console().print(check_table(result))
    if result.patients:
        print(f"patients known: {result.patients}")
    if result.other_files:
        print(f"{len(result.other_files)} files are no images by their name, first {result.other_files[0]}")
    print(f"licence: {published.licence}\ncite: {published.citation}")
    if result.difference:
        raise DataError(result.difference)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brain-tumor data",
        description="List, fetch and check the public data sets; list, verify and evict cached images.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | fetch | check | cache")
    lister = commands.add_parser("list", help="list the public sets, with their licences and known defects")
    lister.add_argument("names", nargs="*", metavar="NAME", help="sets to describe in full")
    lister.add_argument("--long", action="store_true", help="describe every set in full")
    lister.set_defaults(call=_list)
    fetcher = commands.add_parser("fetch", help="download a set, unpack it and check it")
    fetcher.add_argument("name", metavar="NAME", help=", ".join(SETS))
    fetcher.add_argument("folder", nargs="?", metavar="DIR", help="folder to download into (default: data/NAME)")
    fetcher.set_defaults(call=_fetch)
    checker = commands.add_parser("check", help="compare a folder with what was published")
    checker.add_argument("root", metavar="ROOT", help="folder of a set as it was unpacked")
    checker.add_argument("--set", metavar="NAME", help="name of the set, if its folders do not identify it")
    checker.set_defaults(call=_check)
    cache = commands.add_parser("cache", help="list, verify or evict the cache of decoded images")
    cache.add_argument("folder", nargs="?", metavar="DIR", help="folder of the cache (default: as in training)")
    cache.add_argument("--verify", action="store_true", help="verify the checksum of every image")
    cache.add_argument(
        "--evict", type=_gigabytes, metavar="GB", help="remove the least recently used entries, down to GB"
    )
    cache.set_defaults(call=_cache)
    return parser


def _gigabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: expected a number of GB from 0")
    return number


def overview(sets: Iterable[PublicSet]) -> Table:
    """Return a table of data sets, one row each."""
    table = Table("name", "title", "images", "classes", "licence", "fetched from", box=None, pad_edge=False)
    for published in sets:
        table.add_row(
            published.name,
            published.title,
            f"{published.releases[0].total:,}",
            ", ".join(published.classes),
            published.licence,
            published.source.partition(":")[0],
        )
    return table


def details(published: PublicSet) -> str:
    """Return all facts about a data set as text."""
    lines = [
        f"{published.name}: {published.title}",
        *_item("page", published.page),
        *_item("licence", published.licence),
        *_item("cite", published.citation),
        *_item("layout", published.layout),
        *(line for release in published.releases for line in _item("images", _images(release.version, release.counts))),
        *(line for remark in published.remarks for line in _item("know", remark)),
        *_item("fetch", f"brain-tumor data fetch {published.name} DIR"),
        *_item("train", training_command(published, "DIR")),
    ]
    return "\n".join(lines)


def training_command(published: PublicSet, root: object) -> str:
    """Return the command that trains on a data set."""
    text = str(root)
    quoted = text if all(character.isalnum() or character in "/._-" for character in text) else f"'\"{text}\"'"
    return f"brain-tumor train data={published.name} data.root={quoted}"


def _images(version: str, counts: Counts) -> str:
    parts = [
        f"{split or 'all'}: " + ", ".join(f"{label} {images:,}" for label, images in classes.items())
        for split, classes in counts.items()
    ]
    return (f"version {version}; " if version else "") + "; ".join(parts)


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {name:<8}",
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cache_folder(folder: str | None) -> Path:
    """Return the folder of the cache: as given, or else as in conf/paths/default.yaml."""
    return Path(folder or os.environ.get("BRAIN_TUMOR_CACHE") or "~/.cache/brain-tumor").expanduser()


def find_damage(entries: Sequence["StoredEntry"]) -> dict[Path, str]:
    """Verify every image of the cache; return the folder of each damaged entry with a description of the damage."""
    from brain_tumor.data.cache.entry import DamagedEntryError, Entry
    from brain_tumor.data.progress import progress

    damaged = {}
    for entry in progress(entries, "Verifying the cache"):
        try:
            Entry.open(entry.folder)
        except (DamagedEntryError, FileNotFoundError) as error:
            damaged[entry.folder] = str(error)
    return damaged


def entries_table(entries: Sequence["StoredEntry"], damaged: Mapping[Path, str] | None) -> Table:
    """Return a table of cache entries, one row each.

    Args:
        entries: Entries in the order of the table.
        damaged: Description of the damage per folder of a damaged entry; None leaves out the column "state".
    """
    from brain_tumor.data.cache.eviction import GB

    table = Table(box=None, pad_edge=False)
    for heading in ("entry", "images", "size", "GB", "last used", *(["state"] if damaged is not None else [])):
        table.add_column(heading, justify="right" if heading in ("images", "size", "GB") else "left")
    for entry in entries:
        state = [] if damaged is None else [damaged.get(entry.folder, "undamaged")]
        last_used = datetime.fromtimestamp(entry.last_used).astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(entry.folder.name, *_number_and_size(entry.folder), f"{entry.size / GB:.2f}", last_used, *state)
    return table


def _number_and_size(folder: Path) -> tuple[str, str]:
    """Return number and size of the images of an entry, "?" if it is damaged; images are not verified."""
    from brain_tumor.data.cache.entry import DamagedEntryError, Entry

    try:
        images = Entry.open(folder, verify_images=False).images
    except (DamagedEntryError, FileNotFoundError):
        return "?", "?"
    return str(len(images)), f"{images.shape[1]} px"


if __name__ == "__main__":
    main()
