"""Read what the comments of a YAML file say about its keys."""

from itertools import takewhile

import yaml


def yaml_comments(text: str) -> dict[str, str]:
    """Comment of each key, by its dotted name: the one behind its value, else the lines right above it.

    The comment that the file begins with has the name "".
    """
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    head = _joined(list(takewhile(lambda line: line.startswith("#"), lines)))
    keys = _comments_of(root, "", lines) if isinstance(root, yaml.MappingNode) else {}
    return {"": head, **keys}


def _comments_of(table: yaml.MappingNode, prefix: str, lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.value:
        name = f"{prefix}{key.value}"
        if comment := _behind(key, value, lines) or _above(key, lines):
            found[name] = comment
        if isinstance(value, yaml.MappingNode):
            found |= _comments_of(value, f"{name}.", lines)
    return found


def _behind(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    """Return the comment on the line of the value and its indented continuation; of a block, that of its key."""
    is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
    end = key.end_mark if is_block else value.end_mark
    rest = lines[end.line][end.column :].lstrip(": ") if end.line < len(lines) else ""
    if not rest.startswith("#"):
        return ""
    parts = [rest]
    for line in [] if is_block else lines[end.line + 1 :]:
        if not line.lstrip().startswith("#") or line.index("#") <= key.start_mark.column:
            break
        parts.append(line)
    return _joined(parts)


def _above(key: yaml.Node, lines: list[str]) -> str:
    parts: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not line.lstrip().startswith("#") or line.index("#") != key.start_mark.column:
            break
        parts.insert(0, line)
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return " ".join(part.strip().lstrip("# ") for part in parts if "@package" not in part)
