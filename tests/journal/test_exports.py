"""Exports: each format, and what it refuses."""

import csv
import importlib.util
import io
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import assert_refused, run
from journal_rows import DAWN, ROBIN

from birdfield.errors import InputError, LocationMissingError, MissingError, UsageError
from birdfield.journal.ebird import MAX_BYTES, ebird_files
from birdfield.journal.entries import SessionEntry
from birdfield.journal.exports import FORMATS, check_format, export_visits
from birdfield.journal.opening import open_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.journal.records import VISIT_COLUMNS, Candidate, VisitRecord
from birdfield.settings.configuration import config_home
from birdfield.settings.place import Location

GARDEN = Location(52.5, 13.4, "Garden, behind")
FORMULA = "=cmd|'/C calc'!A0"


def written(form: str, rows: Iterable[VisitRecord]) -> bytes:
    """Return what a format writes, from rows that can be read once only."""
    stream = io.BytesIO()
    FORMATS[form](iter(rows), stream)
    return stream.getvalue()


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[list[VisitRecord]]:
    """Read two Robins of one day, one of the next, a Žluna and an undecided visit."""
    with closing(open_journal(tmp_path / "journal")) as journal:
        journal.start_session(SessionEntry("a1b2", DAWN))
        for number, entry in enumerate(
            (
                ROBIN,
                replace(ROBIN, species="Žluna", scientific="Picus viridis"),
                replace(ROBIN, score=0.99),
                replace(ROBIN, species=None, scientific=None),
                replace(ROBIN, started=DAWN + timedelta(days=1)),
            )
        ):
            journal.add_visit(
                replace(entry, evidence=(), start_s=10.0 * number, end_s=10.0 * number + 5), "a1b2"
            )
        yield list(visits_of(journal, Selection()))


def test_csv_has_every_visit(rows: list[VisitRecord]) -> None:
    table = list(csv.DictReader(io.StringIO(written("csv", rows).decode())))
    assert [row["species"] for row in table] == ["Robin", "Žluna", "Robin", "", "Robin"]
    assert table[0]["candidates"] == "Robin 0.9; Jay 0.1"
    assert datetime.fromisoformat(table[0]["started"]) == DAWN


def test_ebird_has_a_record_for_each_species_and_day(rows: list[VisitRecord]) -> None:
    table = list(csv.reader(io.StringIO(ebird_files(rows, GARDEN)[0].decode())))
    assert {len(row) for row in table} == {19}
    local = DAWN.astimezone()
    assert table[0] == [
        "Robin",
        "Erithacus",
        "rubecula",
        "X",
        "birdfield: visits 2; best score 0.99; by machine",
        "Garden, behind",
        "52.500000",
        "13.400000",
        f"{local:%m/%d/%Y}",
        f"{local:%H:%M}",
        "",
        "",
        "Incidental",
        "1",
        "",
        "N",
        "",
        "",
        "",
    ]
    assert [row[0] for row in table] == ["Robin", "Žluna", "Robin"]


def test_ebird_uses_the_location_of_the_configuration(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "journal")) as journal:
        journal.start_session(SessionEntry("a1b2", DAWN))
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    command = ("export-visits", tmp_path / "journal", "--format", "ebird", "-o", tmp_path / "e.csv")
    assert_refused(run(*command), 2, "set place.location in birdfield.toml; add --location LAT")
    config_home().mkdir(parents=True)
    (config_home() / "birdfield.toml").write_text('[place]\nlocation = "52.5,13.4,Our pond"')
    assert run(*command).exit_code == 0
    assert "Our pond,52.500000,13.400000," in (tmp_path / "e.csv").read_text()


def test_ebird_uses_the_names_csv_for_enrolled_species(tmp_path: Path) -> None:
    """A scientific name in the journal stays, also if the CSV has another one."""
    with closing(open_journal(tmp_path / "journal")) as journal:
        journal.start_session(SessionEntry("a1b2", DAWN))
        for species, known in (("Hoopoe", None), ("Robin", "Erithacus rubecula"), (None, None)):
            journal.add_visit(
                replace(ROBIN, species=species, scientific=known, evidence=()), "a1b2"
            )
    command = (
        "export-visits",
        tmp_path / "journal",
        "--format",
        "ebird",
        "-o",
        tmp_path / "e.csv",
        "--location",
        "52.5,13.4",
    )
    assert_refused(run(*command), 1, "Hoopoe has none; set names.file in birdfield.toml")
    config_home().mkdir(parents=True)
    (config_home() / "birdfield.toml").write_text('[names]\nfile = "names.csv"')
    (config_home() / "names.csv").write_text(
        "label,scientific,lang,name\nHoopoe,Upupa epops,,\nRobin,Turdus migratorius,,\n"
    )
    assert run(*command).exit_code == 0
    table = list(csv.reader(io.StringIO((tmp_path / "e.csv").read_text())))
    assert [row[:3] for row in table] == [
        ["Hoopoe", "Upupa", "epops"],
        ["Robin", "Erithacus", "rubecula"],
    ]


def test_ebird_needs_a_location_and_scientific_names(rows: list[VisitRecord]) -> None:
    with pytest.raises(LocationMissingError, match="set place.location in birdfield.toml$"):
        ebird_files(rows, None)
    with pytest.raises(InputError, match="scientific names, and Žluna has none; set"):
        ebird_files(
            [replace(row, scientific=None) if row.species == "Žluna" else row for row in rows],
            GARDEN,
        )


def test_raven_and_audacity_count_seconds_of_the_session(rows: list[VisitRecord]) -> None:
    table = list(csv.DictReader(io.StringIO(written("raven", rows).decode()), delimiter="\t"))
    assert [(row["Begin Time (s)"], row["End Time (s)"]) for row in table[:2]] == [
        ("0.000", "5.000"),
        ("10.000", "15.000"),
    ]
    assert [row["Selection"] for row in table] == ["1", "2", "3", "4", "5"]
    assert [row["Species"] for row in table][:4] == ["Robin", "Žluna", "Robin", "undecided"]
    lines = written("audacity", rows).decode().splitlines()
    assert lines[1] == "10.000000\t15.000000\tŽluna"


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_visits_of_several_sessions_are_refused(rows: list[VisitRecord], form: str) -> None:
    with pytest.raises(
        InputError,
        match="of sessions 1 to 2, in each of which seconds count from 0",
    ):
        written(form, [*rows, replace(rows[0], session=2)])


def test_parquet_has_the_columns_and_values_of_the_visits(rows: list[VisitRecord]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(io.BytesIO(written("parquet", rows))).to_pylist()
    assert [row["species"] for row in table] == ["Robin", "Žluna", "Robin", None, "Robin"]
    assert table[0]["started"] == DAWN and table[0]["started"].utcoffset() == timedelta(0)
    assert table[0]["score"] == 0.97 and table[0]["picture"] is None
    assert set(table[0]) == set(VISIT_COLUMNS)
    assert [row["mark"] for row in table] == ["new", "new", None, None, None]
    assert table[0]["candidates"] == [
        {"species": "Robin", "share": 0.9},
        {"species": "Jay", "share": 0.1},
    ]


def test_parquet_without_its_package_is_refused(
    rows: list[VisitRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'birdfield\[parquet\]'"):
        written("parquet", rows)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(
        UsageError, match="format is 'excel'; expected one of csv, ebird, raven, audacity, parquet"
    ):
        check_format("excel")


def test_export_visits_writes_a_file(rows: list[VisitRecord], tmp_path: Path) -> None:
    export_visits(rows, "audacity", None, tmp_path / "labels.txt")
    assert len((tmp_path / "labels.txt").read_text(encoding="utf-8").splitlines()) == 5


def test_a_day_is_one_checklist_with_one_start_time(rows: list[VisitRecord]) -> None:
    """The first visit of the day begins at 04:30 UTC, a Žluna an hour later."""
    later = [
        replace(row, started=row.started + timedelta(hours=1)) if row.species == "Žluna" else row
        for row in rows
    ]
    table = list(csv.reader(io.StringIO(ebird_files(later, GARDEN)[0].decode())))
    assert {row[9] for row in table} == {f"{DAWN.astimezone():%H:%M}"}


def test_files_for_ebird_hold_whole_checklists_of_at_most_1_mb(
    rows: list[VisitRecord], tmp_path: Path
) -> None:
    """A year of 30 species a day are 10,950 records of about 140 bytes, 1.5 MB: two files."""
    year = [
        replace(rows[0], scientific=f"Genus species{number}", started=rows[0].started + age)
        for age in (timedelta(days=-day) for day in range(365))
        for number in range(30)
    ]
    files = export_visits(year, "ebird", GARDEN, tmp_path / "year.csv")
    assert files == [tmp_path / "year.csv", tmp_path / "year-2.csv"]
    tables = [list(csv.reader(io.StringIO(file.read_text()))) for file in files]
    assert all(file.stat().st_size <= MAX_BYTES for file in files)
    assert sum(map(len, tables)) == 10_950
    first, second = ({row[8] for row in table} for table in tables)
    assert not first & second and len(first) + len(second) == 365


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"species": 'Robin "red"'}, "which eBird refuses"),
        ({"species": FORMULA}, "which eBird refuses"),
        ({"scientific": "=Erithacus rubecula"}, "which eBird refuses"),
        ({"scientific": "Erithacus"}, "Robin has none"),
        ({"started": datetime(2999, 1, 1).astimezone()}, "is in the future"),
    ],
)
def test_what_ebird_refuses_is_refused_before(
    rows: list[VisitRecord], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        ebird_files([replace(rows[0], **change)], GARDEN)


@pytest.mark.parametrize("name", [FORMULA, 'my "pond"', "two\nlines"])
def test_ebird_refuses_such_a_place(rows: list[VisitRecord], name: str) -> None:
    with pytest.raises(InputError, match="the name of the place is .* which eBird refuses"):
        ebird_files(rows, replace(GARDEN, name=name))


@pytest.mark.parametrize("form", ["csv", "raven", "audacity"])
def test_no_cell_of_a_spreadsheet_is_a_formula(rows: list[VisitRecord], form: str) -> None:
    formula = replace(
        rows[0], species=FORMULA, scientific=FORMULA, candidates=(Candidate(FORMULA, 1.0),)
    )
    text = written(form, [formula]).decode()
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter="\t") for cell in row]
    cells += [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert f"'{FORMULA}" in text and not [cell for cell in cells if cell.startswith(("=", "@"))]


def test_an_export_that_fails_leaves_the_old_file(rows: list[VisitRecord], tmp_path: Path) -> None:
    out = tmp_path / "labels.txt"
    out.write_text("old")
    with pytest.raises(InputError, match="of sessions 1 to 2"):
        export_visits([rows[0], replace(rows[0], session=2)], "audacity", None, out)
    assert out.read_text() == "old" and list(tmp_path.glob(".labels*")) == []
