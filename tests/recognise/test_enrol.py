import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import BluePitch, at, factory, make_bundle, picture, tone

from birdfield.commands.describe import enrolment_lines, species_rows
from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store_file import load_store, store_path
from birdfield.recognise.decide import decide
from birdfield.recognise.enrol import EnrolmentWarning, FileReport, enrol
from birdfield.recognise.species_edits import current_labels, remove_species, rename_species

OWL = Species("Owl")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "m.birdfield")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Write three pictures of an owl, at 200, 202 and 204 degrees."""
    return [picture(tmp_path / f"owl{row}.png", 200 + 2 * row, row) for row in range(3)]


def gallery_of(bundle: Bundle) -> Gallery:
    return merged_gallery(bundle, load_store(bundle), BluePitch().fuse)


def answer(bundle: Bundle, degrees: float) -> str | None:
    return decide(BluePitch(), gallery_of(bundle), at(degrees), None).species


def warnings(reports: list[FileReport]) -> list[str | None]:
    return [report.warning for report in reports]


def test_an_enrolled_species_is_recognised(bundle: Bundle, files: list[Path]) -> None:
    """202 degrees is 82 from the wren at 120, cos 82 = 0.14 < 0.5: it is unknown before."""
    assert answer(bundle, 202) is None
    reports = enrol(bundle, BluePitch(), OWL, files)
    assert answer(bundle, 202) == "Owl" and warnings(reports) == [None] * 3
    assert len(load_store(bundle).enrolled["Owl"].hashes) == 3


def test_each_file_is_compared_with_the_others_and_with_the_nearest_species(
    bundle: Bundle, files: list[Path]
) -> None:
    """204 is 4 and 2 degrees from the others, (0.99756 + 0.99939) / 2; 84 from the wren: 0.1045."""
    report = enrol(bundle, BluePitch(), OWL, files)[2]
    assert (report.path, report.sense, report.nearest) == (files[2], "image", "Wren")
    assert report.to_others == pytest.approx(0.99848, abs=1e-4)
    assert report.nearest_similarity == pytest.approx(0.1045, abs=1e-3)


def test_a_photograph_and_a_recording_are_not_compared(bundle: Bundle, tmp_path: Path) -> None:
    both = [picture(tmp_path / "a.png", 200), tone(tmp_path / "a.wav", 130)]
    reports = enrol(bundle, BluePitch(), OWL, both)
    assert [(report.sense, report.to_others) for report in reports] == [
        ("image", None),
        ("audio", None),
    ]
    assert load_store(bundle).enrolled["Owl"].senses == ("image", "audio")
    assert species_rows(gallery_of(bundle))[-1].to_json() == {
        "label": "Owl",
        "names": {},
        "senses": ["image", "audio"],
    }


def test_case_does_not_distinguish_species(bundle: Bundle, files: list[Path]) -> None:
    enrol(bundle, BluePitch(), Species("jay"), files[:1])
    enrol(bundle, BluePitch(), OWL, files[1:2])
    enrol(bundle, BluePitch(), Species("OWL"), files[2:])
    assert {label: len(entry.hashes) for label, entry in load_store(bundle).enrolled.items()} == {
        "Jay": 1,
        "Owl": 2,
    }
    with pytest.raises(InputError, match="species 'oWL' exists already"):
        rename_species(bundle, "jay", "oWL")
    rename_species(bundle, "owl", "OWL")
    remove_species(bundle, "jAY")
    assert current_labels(bundle, load_store(bundle)) == ["OWL", "Robin", "Wren"]


def test_hyphens_and_apostrophes_do_not_distinguish_species(
    bundle: Bundle, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three files are of one species of the bundle, named in three ways, one scientific."""
    chickadee = Species("Black capped Chickadee", "Poecile atricapillus")
    known = factory()
    monkeypatch.setattr(
        Bundle, "factory_gallery", lambda _: replace(known, species=(chickadee, *known.species[1:]))
    )
    for name, path in zip(
        ("Black-capped Chickadee", "black_capped chickadee", "Poecile atricapillus"),
        files,
        strict=True,
    ):
        enrol(bundle, BluePitch(), Species(name), [path])
    assert {label: len(entry.hashes) for label, entry in load_store(bundle).enrolled.items()} == {
        "Black capped Chickadee": 3
    }
    rename_species(bundle, "BLACK-CAPPED chickadee", "Black-capped Chickadee")
    assert "Black-capped Chickadee" in current_labels(bundle, load_store(bundle))
    remove_species(bundle, "Blackcapped Chickadee")
    assert current_labels(bundle, load_store(bundle)) == ["Robin", "Wren"]


def test_a_removed_species_regains_its_names_when_it_is_enrolled(
    bundle: Bundle, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    jay = Species("Jay", "Garrulus glandarius", {"de": "Häher"})
    known = factory()
    monkeypatch.setattr(
        Bundle, "factory_gallery", lambda _: replace(known, species=(jay, *known.species[1:]))
    )
    remove_species(bundle, "Jay")
    enrol(bundle, BluePitch(), Species("jay"), files)
    assert load_store(bundle).enrolled["Jay"].species == jay


def test_a_dry_run_reports_the_same_and_stores_nothing(bundle: Bundle, files: list[Path]) -> None:
    dry = enrol(bundle, BluePitch(), OWL, files, dry_run=True)
    assert not store_path(bundle).parent.exists() and answer(bundle, 202) is None
    assert dry == enrol(bundle, BluePitch(), OWL, files)


def test_a_repeat_is_left_out_even_with_another_name(bundle: Bundle, files: list[Path]) -> None:
    copy = files[0].with_name("copy.png")
    shutil.copyfile(files[0], copy)
    assert warnings(enrol(bundle, BluePitch(), OWL, [files[0], copy])) == [None, "repeat"]
    assert warnings(enrol(bundle, BluePitch(), OWL, [copy, files[1]])) == ["repeat", None]
    assert len(load_store(bundle).enrolled["Owl"].hashes) == 2


def test_a_file_given_twice_is_enrolled_once(bundle: Bundle, files: list[Path]) -> None:
    assert warnings(enrol(bundle, BluePitch(), OWL, [files[0], files[0]])) == [None, "repeat"]
    assert len(load_store(bundle).enrolled["Owl"].hashes) == 1


def test_repeats_alone_leave_the_store_as_it_is(bundle: Bundle, files: list[Path]) -> None:
    enrol(bundle, BluePitch(), OWL, files)
    before = store_path(bundle).stat().st_mtime_ns
    assert warnings(enrol(bundle, BluePitch(), OWL, files)) == ["repeat"] * 3
    assert store_path(bundle).stat().st_mtime_ns == before


def test_a_file_given_again_is_not_compared_with_itself(bundle: Bundle, tmp_path: Path) -> None:
    """190 and 250 degrees: cos 60 = 0.5, for files that are new, known, or given twice."""
    first, second = (picture(tmp_path / f"{degrees}.png", degrees) for degrees in (190, 250))
    for paths, expected in (
        ([first, first], [None, None]),
        ([first], [None]),
        ([first, second], [0.5, 0.5]),
        ([first, second], [0.5, 0.5]),
    ):
        found = [report.to_others for report in enrol(bundle, BluePitch(), OWL, paths)]
        assert found == pytest.approx(expected, abs=1e-3)


def test_a_file_unlike_the_others_is_an_outlier(
    bundle: Bundle, files: list[Path], tmp_path: Path
) -> None:
    """255 degrees is 51 to 55 from the others: a mean cosine of 0.60, theirs is 0.998."""
    odd = picture(tmp_path / "odd.png", 255)
    assert warnings(enrol(bundle, BluePitch(), OWL, [*files, odd])) == [None, None, None, "outlier"]


def test_a_file_is_compared_with_files_enrolled_earlier(
    bundle: Bundle, files: list[Path], tmp_path: Path
) -> None:
    enrol(bundle, BluePitch(), OWL, files)
    odd = enrol(bundle, BluePitch(), OWL, [picture(tmp_path / "odd.png", 255)])[0]
    assert odd.warning == "outlier"
    assert odd.to_others == pytest.approx(0.602, abs=0.002)


def test_a_look_alike_is_reported(bundle: Bundle, tmp_path: Path) -> None:
    """150 degrees is 30 from the wren: 0.866 > 0.85; 155 is 35 away: 0.819."""
    near, far = (picture(tmp_path / f"{degrees}.png", degrees) for degrees in (150, 155))
    assert warnings(enrol(bundle, BluePitch(), OWL, [near, far])) == ["look-alike", None]


def test_a_species_is_not_a_look_alike_of_itself(bundle: Bundle, tmp_path: Path) -> None:
    report = enrol(bundle, BluePitch(), Species("Wren"), [picture(tmp_path / "a.png", 121)])[0]
    assert report.warning is None and report.nearest == "Robin"


def test_with_one_unusable_file_nothing_is_stored(bundle: Bundle, files: list[Path]) -> None:
    files[1].write_bytes(b"not a picture")
    with pytest.raises(InputError, match="owl1.png: not a picture"):
        enrol(bundle, BluePitch(), OWL, files)
    assert not store_path(bundle).exists()


def test_a_renamed_species_has_its_new_name_in_answers(bundle: Bundle, files: list[Path]) -> None:
    enrol(bundle, BluePitch(), OWL, files)
    rename_species(bundle, "Owl", "Tawny Owl")
    rename_species(bundle, "Jay", "Häher")
    rename_species(bundle, "Häher", "Eichelhäher")
    assert (answer(bundle, 202), answer(bundle, 0)) == ("Tawny Owl", "Eichelhäher")
    assert current_labels(bundle, load_store(bundle)) == [
        "Eichelhäher",
        "Robin",
        "Tawny Owl",
        "Wren",
    ]


def test_a_factory_species_is_renamed_with_its_enrolled_samples(
    bundle: Bundle, tmp_path: Path
) -> None:
    enrol(bundle, BluePitch(), Species("Jay"), [picture(tmp_path / "a.png", 250)])
    rename_species(bundle, "Jay", "Häher")
    assert (answer(bundle, 0), answer(bundle, 250)) == ("Häher", "Häher")
    assert len(gallery_of(bundle).labels) == 3


def test_a_name_can_be_used_again_after_a_rename(bundle: Bundle, files: list[Path]) -> None:
    """The factory jay becomes a magpie; the new jay is the enrolled bird."""
    rename_species(bundle, "Jay", "Magpie")
    enrol(bundle, BluePitch(), Species("Jay"), files)
    assert (answer(bundle, 0), answer(bundle, 202)) == ("Magpie", "Jay")
    assert current_labels(bundle, load_store(bundle)) == ["Jay", "Magpie", "Robin", "Wren"]


@pytest.mark.parametrize("new", ["Robin", "Jay", "Owl"])
def test_a_name_in_use_is_refused(bundle: Bundle, files: list[Path], new: str) -> None:
    enrol(bundle, BluePitch(), OWL, files)
    with pytest.raises(InputError, match=f"species '{new}' exists already; remove it first"):
        rename_species(bundle, "Jay", new)


def test_a_removed_factory_species_is_never_the_answer(bundle: Bundle) -> None:
    remove_species(bundle, "Robin")
    assert answer(bundle, 60) in ("Jay", "Wren")
    assert current_labels(bundle, load_store(bundle)) == ["Jay", "Wren"]
    assert bundle.factory_gallery().labels == ("Jay", "Robin", "Wren")


def test_a_removed_species_of_the_bundle_that_is_enrolled_again_keeps_its_prototypes(
    bundle: Bundle, files: list[Path]
) -> None:
    """The factory robin is at 60 degrees, the enrolled samples are at 202."""
    remove_species(bundle, "Robin")
    enrol(bundle, BluePitch(), Species("robin"), files)
    assert answer(bundle, 202) == answer(bundle, 60) == "Robin"
    remove_species(bundle, "Robin")
    assert answer(bundle, 202) is None and "Robin" not in load_store(bundle).enrolled


def test_a_renamed_species_is_removed_by_its_new_name(bundle: Bundle) -> None:
    rename_species(bundle, "Robin", "Redbreast")
    with pytest.raises(InputError, match="no species 'Robin'"):
        remove_species(bundle, "Robin")
    remove_species(bundle, "Redbreast")
    assert current_labels(bundle, load_store(bundle)) == ["Jay", "Wren"]


def test_a_factory_species_is_removed_with_its_enrolled_samples(
    bundle: Bundle, files: list[Path]
) -> None:
    enrol(bundle, BluePitch(), Species("Jay"), files)
    remove_species(bundle, "Jay")
    assert answer(bundle, 202) is None and "Jay" not in gallery_of(bundle).labels


def test_the_error_for_a_missing_species_lists_the_others(bundle: Bundle) -> None:
    words = "no species 'Dodo'; the model has 3: Jay, Robin, Wren"
    with pytest.raises(InputError, match=words):
        remove_species(bundle, "Dodo")
    with pytest.raises(InputError, match=words):
        rename_species(bundle, "Dodo", "Owl")


def test_enrolment_prints_a_line_for_each_file_and_a_total() -> None:
    reports = [
        FileReport(Path("a.png"), Sense.IMAGE, None, None, None, None),
        FileReport(Path("b.png"), Sense.IMAGE, 0.5, "Wren", 0.91, EnrolmentWarning.LOOK_ALIKE),
        FileReport(Path("c.png"), Sense.IMAGE, 0.5, None, None, EnrolmentWarning.REPEAT),
    ]
    assert enrolment_lines(reports, "Owl", dry_run=False) == [
        "a.png: the only file of its kind",
        "b.png: similarity to the others 0.50; nearest other species Wren 0.91; WARNING: hard to "
        "distinguish from that species",
        "c.png: similarity to the others 0.50; enrolled before, skipped",
        "Owl: 2 of 3 files enrolled",
    ]
    assert enrolment_lines(reports, "Owl", dry_run=True)[-1] == (
        "Owl: 2 of 3 files would be enrolled (dry run)"
    )
