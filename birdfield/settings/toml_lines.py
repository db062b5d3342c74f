"""TOML lines: finds the line of each key of a TOML file, which tomllib does not report."""

import tomllib
from collections.abc import Iterator, Mapping

MAX_PENDING = 500  # lines of one statement: trying each further line is slow
MAX_DEPTH = 4  # parts of a key: [species.thresholds] and "name" have 3


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, from 1, of each table and each key.

    Args:
        text: Valid TOML.
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
            continue  # the statement continues on the next line
        first = number - len(pending) + 1
        if pending[0].lstrip().startswith("["):
            table = max(_paths(statement), key=len)
            lines.setdefault(table, first)
        else:
            for path in _paths(statement):
                lines.setdefault(table + path, first)
        pending = []
    return lines


def _paths(entries: Mapping[str, object], depth: int = MAX_DEPTH) -> Iterator[tuple[str, ...]]:
    """Yield the keys of a parsed statement, with those of inner tables."""
    for name, value in entries.items():
        yield (name,)
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and depth > 1:
            for path in _paths(inner, depth - 1):
                yield (name, *path)
