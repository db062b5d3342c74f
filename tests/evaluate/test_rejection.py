import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BluePitch, at, factory, picture, tone

from birdfield.errors import InputError
from birdfield.evaluate.files import EmbeddedFiles
from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.evaluate.rejection import (
    MIN_SPECIES,
    Rejection,
    measure_background,
    measure_unknown,
    scan_unknown,
)
from birdfield.evaluate.scores import EvaluationScores, score
from birdfield.evaluate.table import rejection_lines
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_background

FIGURES = {"auroc", "fpr95", "n"}


def embedded(*samples: tuple[int, float]) -> LabelledEmbeddings:
    """Return samples of a species at an angle."""
    return LabelledEmbeddings(
        np.array([at(angle) for _, angle in samples], np.float32).reshape(-1, 128),
        np.array([label for label, _ in samples], np.int64),
        np.arange(len(samples)),
    )


def files(images: LabelledEmbeddings, audio: LabelledEmbeddings) -> EmbeddedFiles:
    return EmbeddedFiles(
        images,
        audio,
        tuple(Path(f"{row}.png") for row in images.labels),
        tuple(Path(f"{row}.wav") for row in audio.labels),
        (),
    )


def image_figures(found: Rejection) -> dict[str, Any]:
    return found.figures.senses[Sense.IMAGE].to_json()


def known() -> EvaluationScores:
    """Score two images of jays at 0 and 40 degrees, and a sound at 5.

    The species are at 0, 60 and 120; the image at 40 is nearest to the robin, 20 away: wrong.
    """
    return score(BluePitch().fuse, factory(), embedded((0, 0), (0, 40)), embedded((0, 5)))


def test_unknown_photographs_are_separated_by_their_margins() -> None:
    """Cosines less 0.5 are 0.5 and 0.44 of the known, and 0.37, -1.14 and 0.48 of the unknown.

    The known image at 0 is above all three, that at 40 above two: 5 of 6 pairs. Both known pass at
    0.44: one of three unknown passes too. Only the answer at 0 is right: half, times an AUROC of 1.
    """
    unknown = files(embedded((0, 150), (1, 250), (0, 70)), embedded())
    found = measure_unknown(BluePitch().fuse, known(), unknown, ["Dodo", "Moa"])
    image = image_figures(found)
    assert image["n"] == 3 and image["auroc"] == pytest.approx(5 / 6, abs=1e-4)
    assert image["fpr95"] == pytest.approx(1 / 3, abs=1e-4) and image["oscr"] == 0.5


def test_near_species_share_the_last_word_of_a_name() -> None:
    """A Blue Jay is at 70, a Jaybird at 250: the first is above the known at 40, 1 of 2 pairs."""
    unknown = files(embedded((0, 70), (1, 250)), embedded())
    found = measure_unknown(BluePitch().fuse, known(), unknown, ["Blue_jay", "Jaybird"])
    image = image_figures(found)
    assert image["near"] == {"auroc": 0.5, "n": 1} and image["far"] == {"auroc": 1.0, "n": 1}


@pytest.mark.parametrize("species", [MIN_SPECIES - 1, MIN_SPECIES])
def test_both_senses_need_ten_species_that_have_both(species: int) -> None:
    unknown = files(
        embedded(*((row, 200) for row in range(species))),
        embedded(*((row, 200) for row in range(species + 1))),
    )
    labels = [f"Moa {row}" for row in range(species + 1)]
    found = measure_unknown(BluePitch().fuse, known(), unknown, labels).figures
    figures: dict[str, Any] = found.to_json()
    if species < MIN_SPECIES:
        assert "both" not in figures
        assert figures["both_reason"] == (
            "9 unknown species with both photographs and recordings; expected at least 10"
        )
        assert "  both            9 unknown species with both" in "\n".join(
            rejection_lines("unknown species", found)
        )
    else:
        assert figures["both"]["n"] == 10 and figures["both"]["auroc"] == 1
        assert "both_reason" not in figures


def test_a_sense_without_unknown_files_has_no_figures_and_valid_json() -> None:
    unknown = files(embedded((0, 200)), embedded())
    figures = measure_unknown(BluePitch().fuse, known(), unknown, ["Dodo"]).figures.to_json()
    assert figures["audio"] == {
        "auroc": None,
        "fpr95": None,
        "n": 0,
        "oscr": None,
        "near": {"auroc": None, "n": 0},
        "far": {"auroc": None, "n": 0},
    }
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_each_background_file_is_in_a_pair() -> None:
    """Two photographs and three recordings, all opposite to the species, are three pairs."""
    background = files(embedded((0, 240), (0, 245)), embedded((0, 240), (1, 241), (1, 242)))
    found = measure_background(BluePitch().fuse, known(), background).figures
    figures: dict[str, Any] = found.to_json()
    assert [figures[sense]["n"] for sense in ("image", "audio", "both")] == [2, 3, 3]
    assert all(
        row.keys() == FIGURES and row["auroc"] == 1 and row["fpr95"] == 0
        for row in figures.values()
    )
    assert measure_background(BluePitch().fuse, known(), background).figures == found


def test_background_of_one_sense_has_no_pairs() -> None:
    background = files(embedded(), embedded((0, 240)))
    found = measure_background(BluePitch().fuse, known(), background).figures
    figures: dict[str, Any] = found.to_json()
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
    with pytest.raises(
        InputError,
        match="the model knows Great Auk of .*; expected only",
    ):
        scan_unknown(["Great Auk"], *folders)


def test_background_folders_are_listed_by_kind(tmp_path: Path) -> None:
    for kind in ("images", "audio"):
        (tmp_path / kind).mkdir()
    picture(tmp_path / "images" / "wall__1.png", 3)
    tone(tmp_path / "audio" / "hum__1.wav", 3)
    (tmp_path / "audio" / "notes.txt").touch()
    found = scan_background(tmp_path / "images", tmp_path / "audio")
    assert found.labels == ("hum", "wall") and [path.name for path in found.misnamed] == [
        "notes.txt"
    ]


def test_the_table_has_a_line_for_each_sense() -> None:
    unknown = files(embedded((0, 150), (1, 250), (0, 70)), embedded((0, 200)))
    found = measure_unknown(BluePitch().fuse, known(), unknown, ["Blue Jay", "Moa"])
    background = measure_background(BluePitch().fuse, known(), unknown)
    lines = [
        *rejection_lines("unknown species", found.figures),
        *rejection_lines("background", background.figures),
    ]
    assert lines[0].split() == ["unknown", "species", "AUROC", "FPR@95", "OSCR", "near", "far", "n"]
    assert lines[1].split() == ["image", "0.833", "0.333", "0.500", "0.750", "1.000", "3"]
    assert lines[4].startswith("background") and lines[5].split() == [
        "image",
        "0.833",
        "0.333",
        "-",
        "-",
        "-",
        "3",
    ]
