"""On which line of a TOML file each of its keys stands: tomllib does not tell."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

MAX_PENDING = 500  # lines of one statement
DEPTH = 4  # parts of a key that are told apart


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Find each table's and each key's line, from 1 on.

    Args:
        text: That tomllib reads as a whole.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    pending: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not pending and line.strip()[:1] in ("", "#"):
            continue
        pending.append(line)
        if len(pending) > MAX_PENDING:
            return lines
        try:
            statement = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        began = number - len(pending) + 1
        if pending[0].lstrip().startswith("["):
            table = max(_paths(statement), key=len)
            lines.setdefault(table, began)
        else:
            for path in _paths(statement):
                lines.setdefault(table + path, began)
        pending = []
    return lines


def _paths(entries: Mapping[str, Any], depth: int = DEPTH) -> Iterator[tuple[str, ...]]:
    for name, value in entries.items():
        yield (name,)
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and depth > 1:
            for path in _paths(inner, depth - 1):
                yield (name, *path)
