"""Exports: each format, and what it refuses."""

import csv
import importlib.util
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from command_line import assert_refused, run
from journal_rows import DAWN, ROBIN

from birdfield.errors import InputError, LocationMissingError, MissingError, UsageError
from birdfield.journal.entries import SessionEntry
from birdfield.journal.exports import FORMATS, check_format, export_visits, to_parquet
from birdfield.journal.opening import open_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.journal.records import VISIT_COLUMNS, VisitRecord
from birdfield.settings.configuration import config_home
from birdfield.settings.place import Location

GARDEN = Location(52.5, 13.4, "Garden, behind")


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
    table = list(csv.DictReader(io.StringIO(FORMATS["csv"](rows, None).decode())))
    assert [row["species"] for row in table] == ["Robin", "Žluna", "Robin", "", "Robin"]
    assert table[0]["candidates"] == "Robin 0.9; Jay 0.1"
    assert datetime.fromisoformat(table[0]["started"]) == DAWN


def test_ebird_has_a_record_for_each_species_and_day(rows: list[VisitRecord]) -> None:
    table = list(csv.reader(io.StringIO(FORMATS["ebird"](rows, GARDEN).decode())))
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
        FORMATS["ebird"](rows, None)
    with pytest.raises(InputError, match="scientific names, and Žluna has none; set"):
        FORMATS["ebird"](
            [replace(row, scientific=None) if row.species == "Žluna" else row for row in rows],
            GARDEN,
        )


def test_raven_and_audacity_count_seconds_of_the_session(rows: list[VisitRecord]) -> None:
    table = list(csv.DictReader(io.StringIO(FORMATS["raven"](rows, None).decode()), delimiter="\t"))
    assert [(row["Begin Time (s)"], row["End Time (s)"]) for row in table[:2]] == [
        ("0.000", "5.000"),
        ("10.000", "15.000"),
    ]
    assert [row["Selection"] for row in table] == ["1", "2", "3", "4", "5"]
    assert [row["Species"] for row in table][:4] == ["Robin", "Žluna", "Robin", "undecided"]
    lines = FORMATS["audacity"](rows, None).decode().splitlines()
    assert lines[1] == "10.000000\t15.000000\tŽluna"


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_visits_of_several_sessions_are_refused(rows: list[VisitRecord], form: str) -> None:
    with pytest.raises(
        InputError,
        match="of sessions 1 to 2, in each of which seconds count from 0",
    ):
        FORMATS[form]([*rows, replace(rows[0], session=2)], None)


def test_parquet_has_the_columns_and_values_of_the_visits(rows: list[VisitRecord]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(io.BytesIO(to_parquet(rows))).to_pylist()
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
        to_parquet(rows)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(
        UsageError, match="format is 'excel'; expected one of csv, ebird, raven, audacity, parquet"
    ):
        check_format("excel")


def test_export_visits_writes_a_file(rows: list[VisitRecord], tmp_path: Path) -> None:
    export_visits(rows, "audacity", None, tmp_path / "labels.txt")
    assert len((tmp_path / "labels.txt").read_text(encoding="utf-8").splitlines()) == 5
