import json
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory, picture, tone

from birdfield.errors import InputError
from birdfield.evaluate.files import EmbeddedFiles
from birdfield.evaluate.pairs import Embedded
from birdfield.evaluate.scores import Scored, score
from birdfield.evaluate.table import stranger_lines
from birdfield.evaluate.unknown import (
    MIN_SPECIES,
    measure_background,
    measure_unknown,
    scan_unknown,
)
from birdfield.recognise.dataset import scan_background

FIGURES = {"auroc", "fpr95", "n"}


def embedded(*samples: tuple[int, float]) -> Embedded:
    """Make (species, angle) samples."""
    return Embedded(
        np.array([at(angle) for _, angle in samples], np.float32).reshape(-1, 128),
        np.array([label for label, _ in samples], np.int64),
        np.arange(len(samples)),
    )


def files(images: Embedded, audio: Embedded) -> EmbeddedFiles:
    return EmbeddedFiles(
        images,
        audio,
        tuple(Path(f"{row}.png") for row in images.labels),
        tuple(Path(f"{row}.wav") for row in audio.labels),
        (),
    )


def known() -> Scored:
    """Of the factory's species at 0, 60 and 120 degrees: two jays seen at 0 and 40, one heard.

    The one at 40 is nearest to the robin, 20 away: wrong.
    """
    return score(BluePitch().fuse, factory(), embedded((0, 0), (0, 40)), embedded((0, 5)))


def test_unknown_photographs_are_told_by_how_near_they_are() -> None:
    """Cosines less 0.5: known 0.5 and 0.44, unknown at 150, 250 and 70 degrees 0.37, -1.14, 0.48.

    The known at 0 is above all three, the one at 40 above two: 5 of 6 pairs. Both known must pass
    at 0.44: one of three passes too. Right is only the one at 0: half, times an AUROC of 1.
    """
    strangers = files(embedded((0, 150), (1, 250), (0, 70)), embedded())
    image = measure_unknown(BluePitch().fuse, known(), strangers, ["Dodo", "Moa"])["image"]
    assert image["n"] == 3 and image["auroc"] == pytest.approx(5 / 6, abs=1e-4)
    assert image["fpr95"] == pytest.approx(1 / 3, abs=1e-4) and image["oscr"] == 0.5


def test_near_are_those_that_share_the_last_word() -> None:
    """Seen at 70 a Blue Jay, at 250 a Jaybird: the first beats the known at 40, 1 of 2 pairs."""
    strangers = files(embedded((0, 70), (1, 250)), embedded())
    image = measure_unknown(BluePitch().fuse, known(), strangers, ["Blue_jay", "Jaybird"])["image"]
    assert image["near"] == {"auroc": 0.5, "n": 1} and image["far"] == {"auroc": 1.0, "n": 1}


@pytest.mark.parametrize("species", [MIN_SPECIES - 1, MIN_SPECIES])
def test_both_senses_need_ten_species_that_have_both(species: int) -> None:
    strangers = files(
        embedded(*((row, 200) for row in range(species))),
        embedded(*((row, 200) for row in range(species + 1))),
    )
    labels = [f"Moa {row}" for row in range(species + 1)]
    figures = measure_unknown(BluePitch().fuse, known(), strangers, labels)
    if species < MIN_SPECIES:
        assert "both" not in figures
        assert figures["both_reason"] == (
            "9 unknown species with both photographs and recordings; expected at least 10"
        )
        assert "  both            9 unknown species with both" in "\n".join(
            stranger_lines({"unknown": figures})
        )
    else:
        assert figures["both"]["n"] == 10 and figures["both"]["auroc"] == 1
        assert "both_reason" not in figures


def test_a_sense_without_strangers_has_no_figures_and_valid_json() -> None:
    figures = measure_unknown(
        BluePitch().fuse, known(), files(embedded((0, 200)), embedded()), ["Dodo"]
    )
    assert figures["audio"] == {
        "auroc": None,
        "fpr95": None,
        "n": 0,
        "oscr": None,
        "near": {"auroc": None, "n": 0},
        "far": {"auroc": None, "n": 0},
    }
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_no_bird_is_paired_until_each_file_was_used() -> None:
    """Two photographs and three recordings, all opposite to the species: three pairs."""
    nothing = files(embedded((0, 240), (0, 245)), embedded((0, 240), (1, 241), (1, 242)))
    figures = measure_background(BluePitch().fuse, known(), nothing)
    assert [figures[sense]["n"] for sense in ("image", "audio", "both")] == [2, 3, 3]
    assert all(
        row.keys() == FIGURES and row["auroc"] == 1 and row["fpr95"] == 0
        for row in figures.values()
    )
    assert measure_background(BluePitch().fuse, known(), nothing) == figures


def test_no_bird_of_one_sense_only_gives_no_pairs() -> None:
    figures = measure_background(BluePitch().fuse, known(), files(embedded(), embedded((0, 240))))
    assert figures["image"]["auroc"] is None and figures["audio"]["auroc"] == 1
    assert figures["both_reason"].startswith("no usable file of one sense")
    assert "both" not in figures


def test_species_that_the_model_knows_are_refused(tmp_path: Path) -> None:
    for kind in ("images", "audio"):
        (tmp_path / kind / "Great_Auk").mkdir(parents=True)
    picture(tmp_path / "images" / "Great_Auk" / "a.png", 3)
    tone(tmp_path / "audio" / "Great_Auk" / "a.wav", 3)
    folders = tmp_path / "images", tmp_path / "audio"
    assert scan_unknown(["Jay"], *folders).labels == ("Great Auk",)
    with pytest.raises(InputError, match="the model knows Great Auk of .*; --unknown expects spec"):
        scan_unknown(["Great Auk"], *folders)


def test_flat_folders_are_no_birds_by_kind(tmp_path: Path) -> None:
    for kind in ("images", "audio"):
        (tmp_path / kind).mkdir()
    picture(tmp_path / "images" / "wall__1.png", 3)
    tone(tmp_path / "audio" / "hum__1.wav", 3)
    (tmp_path / "audio" / "notes.txt").touch()
    found = scan_background(tmp_path / "images", tmp_path / "audio")
    assert found.labels == ("hum", "wall") and [path.name for path in found.misnamed] == [
        "notes.txt"
    ]


def test_the_table_has_a_line_a_sense() -> None:
    strangers = files(embedded((0, 150), (1, 250), (0, 70)), embedded((0, 200)))
    unknown = measure_unknown(BluePitch().fuse, known(), strangers, ["Blue Jay", "Moa"])
    nothing = measure_background(BluePitch().fuse, known(), strangers)
    lines = stranger_lines({"unknown": unknown, "no_bird": nothing})
    assert lines[0].split() == ["unknown", "species", "AUROC", "FPR@95", "OSCR", "near", "far", "n"]
    assert lines[1].split() == ["image", "0.833", "0.333", "0.500", "0.750", "1.000", "3"]
    assert lines[4].startswith("no bird") and lines[5].split() == [
        "image",
        "0.833",
        "0.333",
        "-",
        "-",
        "-",
        "3",
    ]
    assert stranger_lines({}) == []
