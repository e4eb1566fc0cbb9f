"""``brain-tumor data``: list, fetch and check the public data sets; inspect and trim the cache of decoded images."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from brain_tumor.data.cache.entry import Damage, Entry
from brain_tumor.data.cache.eviction import GB, Stored
from brain_tumor.data.progress import progress
from brain_tumor.data.public.registry import SETS, Counts, PublicSet, find_set
from brain_tumor.errors import BrainTumorError, DataError

USER_MISTAKE = 2
"""Exit code."""

_EXAMPLES = """examples:
  brain-tumor data list                    all sets
  brain-tumor data list cheng              one set: licence, citation, what is known of leaks and label faults
  brain-tumor data fetch cheng             into data/cheng, no account needed
  brain-tumor data fetch nickparvar DIR    through Kaggle's client: pip install 'brain-tumor[fetch]'
  brain-tumor data check DIR               which set is this, and is it whole?
  brain-tumor data cache                   what is in the cache of decoded images?
  brain-tumor data cache --verify          is each image in it still what it was?
  brain-tumor data cache --evict 10        remove what was used least recently, down to 10 GB; 0 empties it
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The verb; exits with 2 on a user's mistake, and where a folder is not as published."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.call(parsed)
    except BrainTumorError as error:
        print(f"brain-tumor data {parsed.command}: {error}", file=sys.stderr)
        sys.exit(USER_MISTAKE)
    except KeyboardInterrupt:
        print(f"brain-tumor data {parsed.command}: interrupted; call it again to go on.", file=sys.stderr)
        sys.exit(130)


def _list(parsed: argparse.Namespace) -> None:
    chosen = [find_set(name) for name in parsed.names] or list(SETS.values())
    if parsed.names or parsed.long:
        print("\n\n".join(details(published) for published in chosen))
        return
    console().print(overview(chosen))
    print("\nbrain-tumor data list NAME tells all about one; brain-tumor data fetch NAME downloads it.")


def _fetch(parsed: argparse.Namespace) -> None:
    from brain_tumor.data.public.fetch import fetch

    published = find_set(parsed.name)
    folder = Path(parsed.folder or Path("data", published.name)).expanduser()
    if _is_whole(folder, published.name):
        print(f"{folder} holds {published.name} already; nothing to do.")
        place = folder
    else:
        print(f"{published.title}\nlicence: {published.licence}", file=sys.stderr)
        place = fetch(published, folder.absolute())
    _report(place, published.name)
    print(f"\n{training_command(published, place)}")


def _check(parsed: argparse.Namespace) -> None:
    _report(Path(parsed.root), parsed.set)


def _cache(parsed: argparse.Namespace) -> None:
    from brain_tumor.data.cache import eviction

    folder = place(parsed.folder)
    if parsed.evict is not None:
        removed = eviction.evict(folder, parsed.evict)
        print(f"{len(removed)} entries were removed ({sum(each.bytes for each in removed) / eviction.GB:.2f} GB).")
    entries = eviction.stored(folder)
    damaged = damages(entries) if parsed.verify else {}
    print(f"{folder}: {len(entries)} entries, {sum(each.bytes for each in entries) / eviction.GB:.2f} GB")
    console().print(table(entries, damaged if parsed.verify else None))
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(entries)} entries are damaged; what they hold is decoded again when it is needed."
        )


def _is_whole(folder: Path, name: str) -> bool:
    from brain_tumor.data.public.checking import check

    try:
        return not check(folder, name).difference
    except DataError:
        return False


def _report(root: Path, name: str | None) -> None:
    from brain_tumor.data.public.checking import check, check_table

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
        description="List, fetch and check the public data sets; look after the cache of decoded images.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | fetch | check | cache")
    lister = commands.add_parser("list", help="what sets there are, and what must be known of them")
    lister.add_argument("names", nargs="*", metavar="NAME", help="tell all about these")
    lister.add_argument("--long", action="store_true", help="tell all about every set")
    lister.set_defaults(call=_list)
    fetcher = commands.add_parser("fetch", help="download a set, unpack it and check it")
    fetcher.add_argument("name", metavar="NAME", help=", ".join(SETS))
    fetcher.add_argument("folder", nargs="?", metavar="DIR", help="where to (default: data/NAME)")
    fetcher.set_defaults(call=_fetch)
    checker = commands.add_parser("check", help="compare a folder with what was published")
    checker.add_argument("root", metavar="ROOT", help="folder of a set as it was unpacked")
    checker.add_argument("--set", metavar="NAME", help="which set it is, where its folders do not tell")
    checker.set_defaults(call=_check)
    cache = commands.add_parser("cache", help="what is in the cache of decoded images; check it, or make room")
    cache.add_argument("folder", nargs="?", metavar="DIR", help="paths.cache_dir, if it is not the usual one")
    cache.add_argument("--verify", action="store_true", help="read every image and compare it with its checksum")
    cache.add_argument("--evict", type=_gigabytes, metavar="GB", help="remove entries used least recently, down to GB")
    cache.set_defaults(call=_cache)
    return parser


def _gigabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} was given; expected a number of GB from 0")
    return number


if __name__ == "__main__":
    main()


WIDTH = 120
"""Columns of text where the output is no terminal."""


def console() -> Console:
    """Where results go; not cut to 80 columns in a pipe."""
    screen = Console(highlight=False, emoji=False, markup=False)
    return screen if screen.is_terminal else Console(highlight=False, emoji=False, markup=False, width=WIDTH)


def overview(sets: Iterable[PublicSet]) -> Table:
    """All sets, a line or two each."""
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
    """Everything that is known of a set, as text."""
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
    """What to type next."""
    text = str(root)
    quoted = text if all(sign.isalnum() or sign in "/._-" for sign in text) else f"'\"{text}\"'"
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


def place(folder: str | None) -> Path:
    """The cache's folder: as given, else as conf/paths/default.yaml has it."""
    return Path(folder or os.environ.get("BRAIN_TUMOR_CACHE") or "~/.cache/brain-tumor").expanduser()


def damages(entries: Sequence[Stored]) -> dict[Path, str]:
    """Folder of each damaged entry → what is wrong with it; reads everything."""
    found = {}
    for each in progress(entries, "Checking the cache"):
        try:
            Entry.open(each.folder)
        except (Damage, FileNotFoundError) as damage:
            found[each.folder] = str(damage)
    return found


def table(entries: Sequence[Stored], damaged: Mapping[Path, str] | None) -> Table:
    """One line an entry, the one used last first.

    Args:
        entries: All there are.
        damaged: What is wrong with which; None if nobody looked.
    """
    shown = Table(box=None, pad_edge=False)
    for heading in ("entry", "images", "size", "GB", "last used", *(["state"] if damaged is not None else [])):
        shown.add_column(heading, justify="right" if heading in ("images", "size", "GB") else "left")
    for each in entries:
        state = [] if damaged is None else [damaged.get(each.folder, "whole")]
        used = datetime.fromtimestamp(each.used).astimezone().strftime("%Y-%m-%d %H:%M")
        shown.add_row(each.folder.name, *_content(each.folder), f"{each.bytes / GB:.2f}", used, *state)
    return shown


def _content(folder: Path) -> tuple[str, str]:
    """Number and side of the images, where the entry is whole as far as can be told without reading them."""
    try:
        images = Entry.open(folder, contents=False).images
    except (Damage, FileNotFoundError):
        return "?", "?"
    return str(len(images)), f"{images.shape[1]} px"
