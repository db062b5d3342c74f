"""CSV tables: files as spreadsheets of several countries save them."""

import os
from pathlib import Path

import pytest

from birdfield.errors import InputError
from birdfield.model.csv_table import MAX_BYTES, read_rows

COLUMNS = ("label", "name")
UNIX = "label,name\nBlue Jay,Blauhäher\n"
DOS = UNIX.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (UNIX, "utf-8"),
        (DOS, "utf-8-sig"),  # Excel, "CSV UTF-8"
        (DOS.replace(",", ";"), "utf-8-sig"),  # the same in Germany
        (DOS.replace(",", ";"), "cp1252"),  # Excel, "CSV", in Germany
        (DOS.replace(",", "\t"), "utf-16"),  # Excel, "Unicode text"
        (DOS.replace(",", "\t"), "utf-16-le"),  # the same without its mark
        (UNIX.replace(",", "\t"), "utf-16-be"),
        ("sep=,\r\n" + DOS, "utf-8-sig"),
        ("sep=;\n" + UNIX.replace(",", ";"), "utf-8"),
        ("SEP=;\n" + UNIX, "utf-8"),  # a program has changed the separator since
        (UNIX.replace("\n", "\r"), "utf-8"),  # old Macintosh
        (UNIX.replace("label,name", ' Label , "NAME"'), "utf-8"),
        ("\n , \n" + UNIX + ",\n,,,\n\n", "utf-8"),
        (UNIX.replace("label", "note,Label").replace("Blue", "x,Blue"), "utf-8"),
        (UNIX.replace("Blue Jay", '" Blue Jay"').replace(",Blau", " , Blau"), "utf-8"),
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_bytes(text.encode(encoding))
    assert [row.cells for row in read_rows(path, COLUMNS)] == [("Blue Jay", "Blauhäher")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("label;nom\nJay;Geai\n", "found 'label, nom', separated by semicolons"),
        ("label;nom\nJay;Geai\n", "no column name; expected label,name in the first line, separa"),
        ("Jay\n", "no column label, name; expected label,name in the first line, separated by "),
        ("Jay\n", "found 'jay'"),
        ("", "found no text"),
        ("label,name\n\nJay;Geai\n", "line 3: separated by semicolons; expected commas, as in "),
        ("label;name\nJay,Geai\n", "line 2: separated by commas; expected semicolons"),
        ("sep=;\nlabel;name\nJay\tGeai\n", "line 3: separated by tabs; expected semicolons"),
        ("label;name\nJay;A;B\n", "line 2: 3 cells separated by semicolons; expected 2: put dou"),
        (b"label,name\n\x81,x\n", "neither UTF-8, UTF-16 nor Windows-1252 text"),
        (b"\xff\xfel\x00\x00", "neither UTF-8, UTF-16"),
        ("label,name\n" + "x" * 200_000, "not a CSV file (field larger than field limit"),
    ],
)
def test_another_table_is_refused_with_its_separator(
    content: str | bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "names.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as refused:
        list(read_rows(path, COLUMNS))
    assert str(refused.value).startswith(f"{path}") and words in str(refused.value)


def test_each_row_has_its_line(tmp_path: Path) -> None:
    """The second row spans the lines 4 and 5, and the separator has line 1."""
    path = tmp_path / "names.csv"
    path.write_text('sep=,\nlabel,name\na,b\nc,"d\ne"\nf\n')
    assert [row.where for row in read_rows(path, COLUMNS)] == [
        f"{path}, line {line}" for line in (3, 5, 6)
    ]


def test_only_regular_files_of_a_limited_size_are_read(tmp_path: Path) -> None:
    """Reading /dev/zero or a pipe would never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError, match="not a file of text; expected a CSV file"):
            list(read_rows(path, COLUMNS))
    large = tmp_path / "large.csv"
    large.touch()
    os.truncate(large, MAX_BYTES + 1)
    with pytest.raises(InputError, match="50,000,001 bytes; expected a CSV file of at most"):
        list(read_rows(large, COLUMNS))
