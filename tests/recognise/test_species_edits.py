"""Species edits: a removal is undone, by the library and by the command line."""

from pathlib import Path

import pytest
from command_line import assert_refused, run
from fakes import BluePitch, at, make_bundle, picture

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.species import Species
from birdfield.model.store import parse_store
from birdfield.model.store_file import load_store
from birdfield.recognise.decide import decide
from birdfield.recognise.enrol import enrol
from birdfield.recognise.species_edits import (
    SpeciesEdit,
    current_labels,
    remove_species,
    rename_species,
    restore_species,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "m.birdfield")


def answer(bundle: Bundle, degrees: float) -> str | None:
    gallery = merged_gallery(bundle, load_store(bundle), BluePitch().fuse)
    return decide(BluePitch(), gallery, at(degrees), None).species


def enrol_at(bundle: Bundle, name: str, *degrees: int) -> None:
    paths = [picture(bundle.folder.parent / f"{each}.png", each) for each in degrees]
    enrol(bundle, BluePitch(), Species(name), paths)


def hashes(bundle: Bundle, label: str) -> int:
    return len(load_store(bundle).enrolled[label].hashes)


def test_a_species_of_the_bundle_is_restored(bundle: Bundle) -> None:
    before = load_store(bundle)
    assert remove_species(bundle, "robin") == SpeciesEdit("Robin", True, 0)
    assert answer(bundle, 60) != "Robin"
    assert restore_species(bundle, "ROBIN") == SpeciesEdit("Robin", True, 0)
    assert load_store(bundle) == before and answer(bundle, 60) == "Robin"


def test_a_species_is_restored_with_its_enrolled_samples(bundle: Bundle) -> None:
    """The robin is at 60 degrees, its enrolled samples are at 200 and 202."""
    enrol_at(bundle, "Robin", 200, 202)
    assert remove_species(bundle, "Robin") == SpeciesEdit("Robin", True, 2)
    assert answer(bundle, 200) is None
    assert restore_species(bundle, "Robin") == SpeciesEdit("Robin", True, 2)
    assert answer(bundle, 200) == answer(bundle, 60) == "Robin" and hashes(bundle, "Robin") == 2


def test_an_own_species_is_restored(bundle: Bundle) -> None:
    enrol_at(bundle, "Owl", 200, 202)
    assert remove_species(bundle, "Owl") == SpeciesEdit("Owl", False, 2)
    stored = load_store(bundle)
    again = parse_store(stored.dump(), "copy")
    assert not again.enrolled and [*again.set_aside] == ["Owl"]
    assert restore_species(bundle, "owl") == SpeciesEdit("Owl", False, 2)
    assert answer(bundle, 200) == "Owl" and not load_store(bundle).set_aside


def test_a_species_that_was_enrolled_anew_gets_its_old_samples_back(bundle: Bundle) -> None:
    """Of the new samples, one is also among the old ones."""
    enrol_at(bundle, "Owl", 200, 202)
    remove_species(bundle, "Owl")
    enrol_at(bundle, "Owl", 202, 204)
    assert hashes(bundle, "Owl") == 2
    restore_species(bundle, "Owl")
    assert hashes(bundle, "Owl") == 3


def test_samples_that_are_removed_twice_are_all_kept(bundle: Bundle) -> None:
    for degrees in (200, 202):
        enrol_at(bundle, "Owl", degrees)
        remove_species(bundle, "Owl")
    assert restore_species(bundle, "Owl").files == 2


def test_a_renamed_species_is_restored_under_its_new_name(bundle: Bundle) -> None:
    rename_species(bundle, "Robin", "Redbreast")
    remove_species(bundle, "Redbreast")
    assert restore_species(bundle, "red-breast").label == "Redbreast"
    assert answer(bundle, 60) == "Redbreast"


def test_what_is_not_removed_is_not_restored(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="no removed species 'Owl'; none is removed"):
        restore_species(bundle, "Owl")
    with pytest.raises(InputError, match="species 'wren' is not removed; the model has it"):
        restore_species(bundle, "wren")
    remove_species(bundle, "Robin")
    with pytest.raises(InputError, match="no removed species 'Owl'; removed are Robin"):
        restore_species(bundle, "Owl")
    rename_species(bundle, "Jay", "Robin")
    with pytest.raises(InputError, match="another species is called 'Robin' now; rename that one"):
        restore_species(bundle, "Robin")
    rename_species(bundle, "Robin", "Jay")
    restore_species(bundle, "Robin")
    assert current_labels(bundle, load_store(bundle)) == ["Jay", "Robin", "Wren"]


def test_the_commands_print_what_they_did(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "encoder", lambda *_: BluePitch())
    species = ("species", bundle.folder)
    owl = picture(tmp_path / "owl.png", 200)
    run("enrol", bundle.folder, "robin", owl)
    for arguments, printed in (
        (
            ("rename", "robin", "Redbreast"),
            "Robin: renamed to Redbreast, with its prototypes in the model and 1 enrolled file",
        ),
        (
            ("remove", "redbreast"),
            "Redbreast: removed, with its prototypes in the model and 1 enrolled file; to undo, "
            "restore it: species restore",
        ),
        (
            ("restore", "Redbreast"),
            "Redbreast: restored, with its prototypes in the model and 1 enrolled file",
        ),
        (
            ("remove", "Wren"),
            "Wren: removed, with its prototypes in the model; to undo, restore it: species restore",
        ),
    ):
        done = run(*species, *arguments)
        assert (done.exit_code, done.stdout) == (0, f"{printed}\n"), done.output
    assert_refused(run(*species, "restore", "Dodo"), 1, "no removed species 'Dodo'; removed are Wr")
    last = run("enrol", bundle.folder, "wren", owl).stdout.splitlines()[-2:]
    assert last == [
        "Wren: 1 of 1 files enrolled",
        "Wren: restored, with its prototypes in the model",
    ]
