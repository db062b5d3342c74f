"""CSV tables: reads a table as any spreadsheet saves it."""

import codecs
import csv
import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import InputError

MAX_BYTES = 50_000_000  # names of all birds in 30 languages take half of that
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's first line
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        where: The file and the line, for messages.
        cells: The text of each expected column, without blanks around it.
    """

    where: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """The rows of a file that is separated in one way.

    Attributes:
        separator: The separator.
        header: The names of the columns, in small letters.
        rows: Each further row that is not blank, with its line.
    """

    separator: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file that has a header; blank rows are left out.

    Commas, semicolons, tabs or bars separate the cells, also after a line `sep=`. The text is
    UTF-8, UTF-16 or Windows-1252. Case and blanks do not count in the header, which may have
    further columns.

    Args:
        path: The file.
        columns: The names of the columns to return.

    Raises:
        InputError: If the file cannot be read, lacks a column, or has a row with another separator
            or with more cells than the header.
    """
    text = _read_text(path)
    try:
        table = _table_with(columns, text, path)
        places = [table.header.index(name) for name in columns]
        for line, cells in table.rows:
            where = f"{path}, line {line}"
            _check_cells(table, cells, where)
            yield Row(
                where, tuple(cells[place].strip() if place < len(cells) else "" for place in places)
            )
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error}); save it as CSV again") from error


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file of text; expected a CSV file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path}: {path.stat().st_size:,} bytes; expected a CSV file of at most "
                f"{MAX_BYTES:,}"
            )
        return _decode(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: neither UTF-8, UTF-16 nor Windows-1252 text ({error}); save it as UTF-8"
        ) from error


def _decode(data: bytes, path: Path) -> str:
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    if data[:2].count(0) == 1:  # a header has letters of ASCII
        return data.decode("utf-16-le" if data[1] == 0 else "utf-16-be")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        log.info("%s: not UTF-8 text; read as Windows-1252", path)
        return data.decode("cp1252")


def _table_with(columns: Sequence[str], text: str, path: Path) -> _Table:
    """Return the table by the first separator with which it has the columns."""
    given = SEPARATOR_LINE.fullmatch(text.partition("\n")[0])
    separators = dict.fromkeys([*([given[1]] if given else []), *SEPARATORS])
    widest = _Table(",", [], iter(()))
    for separator in separators:
        table = _split(text, separator, bool(given))
        if set(columns) <= set(table.header):
            return table
        widest = max(widest, table, key=lambda each: len(each.header))
    missing = sorted(set(columns) - set(widest.header))
    raise InputError(
        f"{path}: no column {', '.join(missing)}; expected {','.join(columns)} in the first line, "
        f"separated by commas, semicolons or tabs; found {_described(widest)}"
    )


def _described(table: _Table) -> str:
    shown = ", ".join(table.header)[:80]
    if len(table.header) < 2:
        return repr(shown) if shown else "no text"
    return f"{shown!r}, separated by {_name(table.separator)}"


def _name(separator: str) -> str:
    return SEPARATORS.get(separator, repr(separator))


def _split(text: str, separator: str, has_separator_line: bool) -> _Table:
    stream = io.StringIO(text, newline="")
    if has_separator_line:
        stream.readline()
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    rows = (
        (reader.line_num + has_separator_line, cells)
        for cells in reader
        if any(map(str.strip, cells))
    )
    _, header = next(rows, (0, []))
    return _Table(separator, [cell.strip().casefold() for cell in header], rows)


def _check_cells(table: _Table, cells: Sequence[str], where: str) -> None:
    """Refuse a row whose cells would be taken for those of other columns."""
    for other, name in SEPARATORS.items():
        if len(cells) == 1 < len(table.header) and other != table.separator and other in cells[0]:
            raise InputError(
                f"{where}: separated by {name}; expected {_name(table.separator)}, as in the "
                "first line"
            )
    surplus = [cell for cell in cells[len(table.header) :] if cell.strip()]
    if surplus:
        raise InputError(
            f"{where}: {len(cells)} cells separated by {_name(table.separator)}; expected "
            f"{len(table.header)}: put double quotes around a cell that has a separator in it"
        )
