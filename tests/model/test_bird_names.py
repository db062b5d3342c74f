"""Bird names: the starter's species are spelled as bird lists spell them, with scientific names."""

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import assert_refused, lines_of, run
from journal_rows import ROBIN

from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import open_journal
from birdfield.model.bird_names import STARTER_MODEL, bird_names, with_bird_names
from birdfield.model.bundle import SPECIES, load_bundle
from birdfield.model.gallery import load_gallery
from birdfield.model.species import Species, fold
from birdfield.model.species_index import SpeciesIndex, names_of
from birdfield.paths import STARTER

needs_starter = pytest.mark.skipif(
    not (STARTER / "manifest.json").is_file(), reason="this tree has no starter model"
)


@needs_starter
def test_every_species_of_the_starter_is_in_the_table() -> None:
    """The table is for one model: a starter that is made anew needs a new table, or none."""
    bundle = load_bundle(STARTER)
    assert bundle.model_id == STARTER_MODEL
    packed = load_gallery((STARTER / SPECIES).read_bytes(), bundle.calibration, SPECIES)
    shown = bundle.factory_gallery()
    assert len(shown.labels) == len(set(shown.labels)) == 139
    assert [*map(fold, shown.labels)] == [*map(fold, packed.labels)]
    assert all(species.scientific for species in shown.species)
    for label, scientific in (
        ("Black-capped Chickadee", "Poecile atricapillus"),
        ("Henslow's Sparrow", "Centronyx henslowii"),
        ("Chuck-will's-widow", "Antrostomus carolinensis"),
        ("Gray Catbird", "Dumetella carolinensis"),
        ("Grey Partridge", "Perdix perdix"),
    ):
        assert dict(zip(shown.labels, shown.species, strict=True))[label].scientific == scientific


def test_no_two_species_of_the_table_share_a_name() -> None:
    index = SpeciesIndex(bird_names().values())
    for species in bird_names().values():
        assert all(index.find(name) == species for name in names_of(species))
    pigeon = index.find("rock pigeon")
    assert pigeon is not None and pigeon.label == "Rock Dove"


def test_names_of_a_species_replace_those_of_the_table() -> None:
    own = Species("blue jay", "Cyanocitta c.", {"de": "Blauhäher"})
    (named,) = with_bird_names([own])
    assert named == Species("Blue Jay", "Cyanocitta c.", {"en": "Blue Jay", "de": "Blauhäher"})
    assert with_bird_names([Species("Owl")]) == (Species("Owl"),)


@needs_starter
def test_the_starter_is_listed_with_its_names() -> None:
    shown = run("species", "starter", "list").stdout
    assert "Black-capped Chickadee  (" in shown and "Black capped" not in shown
    rows = {row["label"]: row for row in lines_of(run("species", "starter", "list", "--json"))}
    assert rows["Rock Dove"]["scientific"] == "Columba livia"
    assert rows["Rock Dove"]["names"] == {"en": "Rock Dove", "en-US": "Rock Pigeon"}
    american = run("species", "starter", "list", "--lang", "en-US").stdout
    assert "Rock Pigeon (Columba livia)" in american
    assert_refused(
        run("species", "starter", "list", "--lang", "de"), 2, "expected one of en, en-US"
    )


def test_visits_of_the_starter_can_be_exported_to_ebird_at_once(tmp_path: Path) -> None:
    """The first visit is of a journal from before the table: its label has no hyphen."""
    journal = open_journal(tmp_path)
    journal.start_session(SessionEntry("a1b2", ROBIN.started, "cam", "mic", "boot"))
    for label, scientific in (
        ("Black capped Chickadee", None),
        ("Henslow's Sparrow", "Centronyx henslowii"),
    ):
        journal.add_visit(replace(ROBIN, species=label, scientific=scientific, evidence=()), "a1b2")
    journal.close()
    out = tmp_path / "visits.csv"
    flags = ("--format", "ebird", "--location", "52.5,13.4,Garden", "-o", out)
    done = run("export-visits", tmp_path, *flags)
    assert done.exit_code == 0, done.stderr
    rows = [line.split(",")[:3] for line in out.read_text().splitlines()]
    assert rows == [
        ["Black capped Chickadee", "Poecile", "atricapillus"],
        ["Henslow's Sparrow", "Centronyx", "henslowii"],
    ]
