"""``brain-tumor data``: list, fetch and check the public data sets; look after the cache of decoded pictures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from brain_tumor.data.sets import show
from brain_tumor.data.sets.registry import SETS, named
from brain_tumor.errors import BrainTumorError, DataError

USER_MISTAKE = 2
"""Exit code."""

_EXAMPLES = """examples:
  brain-tumor data list                    all sets
  brain-tumor data list cheng              one set: licence, citation, what is known of leaks and label faults
  brain-tumor data fetch cheng             into data/cheng, no account needed
  brain-tumor data fetch nickparvar DIR    through Kaggle's client: pip install 'brain-tumor[fetch]'
  brain-tumor data check DIR               which set is this, and is it whole?
  brain-tumor data cache                   what is in the cache of decoded pictures?
  brain-tumor data cache --verify          is each picture in it still what it was?
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
    chosen = [named(name) for name in parsed.names] or list(SETS.values())
    if parsed.names or parsed.long:
        print("\n\n".join(show.details(published) for published in chosen))
        return
    show.console().print(show.overview(chosen))
    print("\nbrain-tumor data list NAME tells all about one; brain-tumor data fetch NAME downloads it.")


def _fetch(parsed: argparse.Namespace) -> None:
    from brain_tumor.data.sets.fetch import fetch

    published = named(parsed.name)
    folder = Path(parsed.folder or Path("data", published.name)).expanduser()
    if _is_whole(folder, published.name):
        print(f"{folder} holds {published.name} already; nothing to do.")
        place = folder
    else:
        print(f"{published.title}\nlicence: {published.licence}", file=sys.stderr)
        place = fetch(published, folder.absolute())
    _report(place, published.name)
    print(f"\n{show.training_command(published, place)}")


def _check(parsed: argparse.Namespace) -> None:
    _report(Path(parsed.root), parsed.set)


def _cache(parsed: argparse.Namespace) -> None:
    from brain_tumor.data import cache_show, eviction

    folder = cache_show.place(parsed.folder)
    if parsed.evict is not None:
        removed = eviction.evict(folder, parsed.evict)
        print(f"{len(removed)} entries were removed ({sum(each.bytes for each in removed) / eviction.GB:.2f} GB).")
    entries = eviction.stored(folder)
    damaged = cache_show.damages(entries) if parsed.verify else {}
    print(f"{folder}: {len(entries)} entries, {sum(each.bytes for each in entries) / eviction.GB:.2f} GB")
    show.console().print(cache_show.table(entries, damaged if parsed.verify else None))
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(entries)} entries are damaged; what they hold is decoded again when it is needed."
        )


def _is_whole(folder: Path, name: str) -> bool:
    from brain_tumor.data.sets.checking import check

    try:
        return not check(folder, name).difference
    except DataError:
        return False


def _report(root: Path, name: str | None) -> None:
    from brain_tumor.data.sets.checking import check, table_of

    finding = check(root, name)
    published, version = finding.published, finding.release.version
    print(f"{finding.root} is {published.name}" + (f", version {version}" if version else "") + f": {published.title}")
    show.console().print(table_of(finding))
    if finding.patients:
        print(f"patients known: {finding.patients}")
    if finding.strangers:
        print(f"{len(finding.strangers)} files are no images by their name, first {finding.strangers[0]}")
    print(f"licence: {published.licence}\ncite: {published.citation}")
    if finding.difference:
        raise DataError(finding.difference)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brain-tumor data",
        description="List, fetch and check the public data sets; look after the cache of decoded pictures.",
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
    cache = commands.add_parser("cache", help="what is in the cache of decoded pictures; check it, or make room")
    cache.add_argument("folder", nargs="?", metavar="DIR", help="paths.cache_dir, if it is not the usual one")
    cache.add_argument("--verify", action="store_true", help="read every picture and compare it with its checksum")
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
