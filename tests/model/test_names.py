"""Names in several languages, their order, and cells that look like formulas."""

import csv
import io
from pathlib import Path

import pytest
from command_line import assert_refused, lines_of, run
from fakes import BluePitch, picture
from recorder_scene import start_recorder, window

from birdfield.errors import InputError, UsageError
from birdfield.model.bundle import Bundle
from birdfield.model.names import LABELS_ONLY, Names, merge_names, names_for, sort_key
from birdfield.model.species import Species
from birdfield.recognise.observation import escape_formula
from birdfield.settings.configuration import config_home

NAMES = (
    "label,scientific,lang,name\n"
    "Wren,Troglodytes troglodytes,de,Zaunkönig\nWren,,ja,ミソサザイ\nJay,Garrulus glandarius,"
    "de,Eichelhäher\nJay,,pt-BR,Gaio\nRobin,,de,Ærobin\n"
)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(NAMES, encoding="utf-8")
    return path


def test_a_species_has_the_name_in_the_users_language(names: Path) -> None:
    own = [Species("Jay", None, {"fr": "Geai"}), Species("Dodo")]
    german = Names(merge_names(own, names), "de")
    assert german.full("Jay") == "Eichelhäher (Garrulus glandarius)"
    assert german.full("Robin") == "Ærobin" and german.full("Dodo") == "Dodo"
    assert german.full("Hoopoe", "Upupa epops") == "Hoopoe (Upupa epops)"
    assert Names(merge_names(own, names), "FR").common("Jay") == "Geai"
    assert Names(merge_names(own, names), "pt-br").common("Jay") == "Gaio"
    assert Names(merge_names(own, names), "de-CH").common("Wren") == "Zaunkönig"
    assert Names(merge_names(own, names), "ja").localise({"species": "Wren"}) == {
        "species": "Wren",
        "name": "ミソサザイ",
        "scientific": "Troglodytes troglodytes",
    }
    assert LABELS_ONLY.full("Jay") == "Jay" and LABELS_ONLY.localise({"species": "Jay"}) == {
        "species": "Jay"
    }


def test_a_language_without_names_is_refused(names: Path) -> None:
    with pytest.raises(UsageError, match="in the language 'xx'; expected one of de, ja, pt-BR"):
        Names(merge_names((), names), "xx")
    with pytest.raises(
        UsageError, match="in the language 'de'; expected a names CSV with such names"
    ):
        Names((), "de")


def test_a_names_file_is_checked_even_without_a_language(tmp_path: Path) -> None:
    assert names_for((), None, None) is LABELS_ONLY
    with pytest.raises(InputError, match="missing.csv: cannot be read"):
        names_for((), None, tmp_path / "missing.csv")
    assert_refused(run("visits", tmp_path, "--names", tmp_path / "missing.csv"), 1, "missing.csv")


SHARED = (
    "label,scientific,lang,name\nJay,Garrulus glandarius,de,Häher\n"
    "Robin,Perisoreus infaustus,de,Häher\nWren,,de,Kleiner\nOwl,,de,Kleiner\n"
)


def test_a_name_of_two_species_is_shown_with_the_scientific_name(tmp_path: Path) -> None:
    """Where there is none, the label distinguishes them; JSON has both in keys of their own."""
    path = tmp_path / "names.csv"
    path.write_text(SHARED, encoding="utf-8")
    german = names_for((), "de", path)
    for label, shown in (
        ("Jay", "Häher (Garrulus glandarius)"),
        ("Robin", "Häher (Perisoreus infaustus)"),
        ("Wren", "Kleiner (Wren)"),
    ):
        assert german.common(label) == german.full(label) == shown
        assert german.subtitle(label) is None
    assert german.localise({"species": "Jay"}) == {
        "species": "Jay",
        "name": "Häher",
        "scientific": "Garrulus glandarius",
    }
    assert names_for((), None, path).common("Jay") == "Jay"


def test_visits_of_a_name_of_two_species_are_refused_with_both(tmp_path: Path) -> None:
    path, journal = tmp_path / "names.csv", tmp_path / "journal"
    path.write_text(SHARED, encoding="utf-8")
    start_recorder(journal).close()
    for flags in (("--names", path), ("--names", path, "--lang", "de")):
        words = "'häher' is a name of Jay (Garrulus glandarius), Robin (Perisoreus infaustus); use"
        assert_refused(run("visits", journal, "--species", "häher", *flags), 2, words)
        found = run("visits", journal, "--species", "perisoreus-infaustus", *flags)
        assert found.exit_code == 0 and "no matching visits" in found.stderr


def test_names_are_sorted_as_in_a_dictionary() -> None:
    """By code points, both Ä and b would follow Z."""
    wanted = ["Amsel", "Ärmelkauz", "bachstelze", "Buchfink", "Čáp", "Éider", "Zilpzalp", "Žluna"]
    assert sorted(wanted, key=sort_key) == wanted
    assert sort_key("A\u0308rmel") == sort_key("Ärmel")


def test_species_are_listed_by_name(fake: Path, names: Path) -> None:  # noqa: F811
    done = run("species", fake, "list", "--lang", "de", "--names", names)
    assert [line.partition("  ")[0] for line in done.stdout.splitlines()] == [
        "Eichelhäher (Garrulus glandarius)",
        "Zaunkönig (Troglodytes troglodytes)",
        "Ærobin",
    ]
    assert_refused(
        run("species", fake, "list", "--lang", "xx", "--names", names), 2, "in the language 'xx'"
    )


def test_species_are_listed_with_the_names_in_the_configuration(
    fake: Path,  # noqa: F811
    names: Path,
) -> None:
    config_home().mkdir(parents=True)
    (config_home() / "birdfield.toml").write_text(f'[names]\nfile = "{names}"\nlang = "de"\n')
    assert "Zaunkönig (Troglodytes troglodytes)" in run("species", fake, "list").stdout
    assert "ミソサザイ (Troglodytes" in run("species", fake, "list", "--lang", "ja").stdout


def test_a_photograph_is_identified_with_the_names_in_the_configuration(
    fake: Path,
    names: Path,
    tmp_path: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bundle, "encoder", lambda *_: BluePitch())
    config_home().mkdir(parents=True)
    (config_home() / "birdfield.toml").write_text(f'[names]\nfile = "{names}"\nlang = "de"\n')
    (row,) = lines_of(run("identify", picture(tmp_path / "a.png", 121), "--model", fake, "--json"))
    assert (row["species"], row["name"]) == ("Wren", "Zaunkönig")


def test_visits_are_listed_in_a_language(names: Path, tmp_path: Path) -> None:
    stage = start_recorder(tmp_path / "journal")
    for number in range(3):
        stage.add(window(number, seen=120, heard=120))
    stage.close()
    journal, table = tmp_path / "journal", tmp_path / "visits.csv"
    flags = ("--lang", "ja", "--names", names)
    assert "  ミソサザイ (Troglodytes troglodytes)  " in run("visits", journal, *flags).stdout
    for name in ("Wren", "ミソサザイ", "troglodytes TROGLODYTES", "w-ren"):
        assert len(lines_of(run("visits", journal, "--json", "--species", name, *flags))) == 1
    assert not run("visits", journal, "--species", "Jay", *flags).stdout
    (row,) = lines_of(run("visits", journal, "--json", "--csv", table, *flags))
    assert (row["species"], row["name"]) == ("Wren", "ミソサザイ")
    (cell,) = csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8")))
    assert (cell["species"], cell["name"], cell["mark"]) == ("Wren", "ミソサザイ", "new")
    assert "name" not in lines_of(run("visits", journal, "--json"))[0]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@x", "'@x"),
        ("-1+2", "'-1+2"),
        ("Jay", "Jay"),
        (-1.5, -1.5),
        ("", ""),
        (None, None),
    ],
)
def test_no_name_is_a_formula(value: object, written: object) -> None:
    assert escape_formula(value) == written
