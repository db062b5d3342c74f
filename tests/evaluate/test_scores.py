import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import CALIBRATION, BluePitch, at, factory, picture, tone

from birdfield.errors import InputError
from birdfield.evaluate.figures import Figures
from birdfield.evaluate.files import EmbeddedFiles, embed_folders
from birdfield.evaluate.pairs import (
    PAIRS_PER_SPECIES,
    LabelledEmbeddings,
    draw_pairs,
    fuse_rows,
)
from birdfield.evaluate.scores import concatenate, late_fusion, score
from birdfield.evaluate.summary import summarise
from birdfield.evaluate.table import to_table
from birdfield.model.calibration import Calibration

SENSE_KEYS = {"top1", "top1_ci95", "n", "recall_at_1", "map_at_r", "accepted", "ece", "reliability"}


def embedded(*samples: tuple[int, float], first: int = 0) -> LabelledEmbeddings:
    """Make (species, angle) samples, each a recording of its own."""
    return LabelledEmbeddings(
        np.array([at(angle) for _, angle in samples], np.float32).reshape(-1, 128),
        np.array([label for label, _ in samples], np.int64),
        np.arange(first, first + len(samples)),
    )


def summarised(images: LabelledEmbeddings, audio: LabelledEmbeddings) -> Figures:
    scores = score(BluePitch().fuse, factory(), images, audio)
    return summarise(scores, "model", 3, late_fusion(scores, CALIBRATION))


def evaluated(images: LabelledEmbeddings, audio: LabelledEmbeddings) -> dict[str, Any]:
    return dict(summarised(images, audio).to_json())


def test_pairs_are_distinct_have_one_species_and_are_at_most_20() -> None:
    """Species 0 has 6 x 5 = 30 pairs, of which 20 are drawn; 1 has 2 x 1; 2 has no recording."""
    images = embedded(*[(0, 0)] * 6, *[(1, 0)] * 2, *[(2, 0)] * 3)
    audio = embedded(*[(0, 0)] * 5, (1, 0))
    left, right = draw_pairs(images, audio, seed=0)
    labels = images.labels[left]
    assert np.array_equal(labels, audio.labels[right])
    assert [int((labels == label).sum()) for label in range(3)] == [PAIRS_PER_SPECIES, 2, 0]
    assert len(set(zip(left, right, strict=True))) == 22


def test_pairs_are_seeded() -> None:
    images, audio = embedded(*[(0, 0)] * 9), embedded(*[(0, 0)] * 9)
    assert np.array_equal(draw_pairs(images, audio, 5), draw_pairs(images, audio, 5))
    assert not np.array_equal(draw_pairs(images, audio, 5), draw_pairs(images, audio, 6))


def test_a_sense_without_files_gives_no_pairs() -> None:
    left, right = draw_pairs(embedded((0, 0)), embedded(), seed=0)
    assert len(left) == len(right) == 0


def test_top1_counts_the_nearest_species_even_if_not_accepted() -> None:
    """The species of `factory` are at 0, 60 and 120 degrees; the threshold is 60 degrees.

    By image, species 0 at 10 is right; 0 at 40 is nearest to 1, wrong; 2 at 190 is nearest to 2,
    right, but 70 degrees away: not accepted.
    """
    figures = evaluated(embedded((0, 10), (0, 40), (2, 190)), embedded((1, 61)))
    image = figures["image"]
    assert image["top1"] == pytest.approx(2 / 3, abs=1e-4)
    assert image["accepted"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["audio"]["top1"] == figures["audio"]["accepted"] == 1


def test_retrieval_is_within_the_test_files() -> None:
    """Species 0 at 10 and at 40 each find the other first; 2 at 190 has no other."""
    image = evaluated(embedded((0, 10), (0, 40), (2, 190)), embedded((1, 61)))["image"]
    assert image["recall_at_1"] == image["map_at_r"] == 1 and image["n"] == 3


def test_both_and_each_sense_alone_use_the_same_pairs() -> None:
    """Two pairs of species 1 with a sound at 62; the images are at 58, right, and 10, nearest to 0.

    Fused, 62 and 10 are at 36: nearest to 1, right. In late fusion, the cosines of the image at 10
    to 0 and 1 are 0.985 and 0.643, a difference of 3.42 over the temperature 0.1; those of the
    sound at 62 are 0.469 and 0.999, a difference of 5.30, of weight 0.5: 2.65 < 3.42, so the
    answer is 0, wrong.
    """
    figures = evaluated(embedded((1, 58), (1, 10)), embedded((1, 62)))
    both = figures["both"]
    assert (both["n"], both["top1"], both["image_top1"], both["audio_top1"]) == (2, 1, 0.5, 1)
    assert figures["late_fusion"] == {"top1": 0.5, "n": 2}


def test_late_fusion_weights_the_sound() -> None:
    """With weight 1 the 5.30 by sound exceed the 3.42 by image: both pairs are right."""
    scores = score(BluePitch().fuse, factory(), embedded((1, 58), (1, 10)), embedded((1, 62)))
    heavy = Calibration(CALIBRATION.temperature, CALIBRATION.threshold, 1.0)
    assert late_fusion(scores, heavy).tolist() == [True, True]


def test_a_report_has_the_documented_form() -> None:
    figures = evaluated(embedded((0, 1), (1, 61)), embedded((1, 62)))
    assert figures.keys() == {
        "format",
        "model",
        "gallery",
        "species",
        "image",
        "audio",
        "both",
        "late_fusion",
        "ece",
    }
    assert (figures["format"], figures["model"], figures["gallery"], figures["species"]) == (
        1,
        "model",
        3,
        2,
    )
    assert figures["image"].keys() == figures["audio"].keys() == SENSE_KEYS
    assert figures["both"].keys() == SENSE_KEYS | {"image_top1", "audio_top1"}
    low, high = figures["image"]["top1_ci95"]  # all are right
    assert 0 < low < 1 and high == 1


def test_a_sense_without_files_has_no_figures_and_valid_json() -> None:
    figures = evaluated(embedded((0, 1)), embedded())
    assert figures["audio"] == {
        "top1": None,
        "top1_ci95": [None, None],
        "n": 0,
        "recall_at_1": None,
        "map_at_r": None,
        "accepted": None,
        "ece": None,
        "reliability": [],
    }
    assert figures["ece"] is None
    assert figures["late_fusion"] == {"top1": None, "n": 0}
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert "audio   no test files" in to_table(summarised(embedded((0, 1)), embedded()))


def test_a_table_has_the_figures() -> None:
    table = to_table(summarised(embedded((1, 58), (1, 10)), embedded((1, 62))))
    assert table.startswith("1 species tested, 3 in the gallery\n")
    assert "image   0.500  [0.000, 1.000]      2" in table
    assert "on the same 2 pairs: image 0.500, audio 1.000, late fusion 0.500" in table


def test_folds_are_concatenated() -> None:
    parts = [
        score(BluePitch().fuse, factory(), embedded((0, angle)), embedded((0, 5)))
        for angle in (10, 40)
    ]
    whole = concatenate(parts)
    assert whole.image.correct.tolist() == [True, False] and len(whole.both.units) == 2
    assert whole.pairs_by_image.shape == (2, 3)


def test_other_thresholds_change_only_what_is_accepted() -> None:
    scores = score(BluePitch().fuse, factory(), embedded((0, 10), (0, 40)), embedded((0, 5)))
    strict = scores.with_calibration(CALIBRATION, np.full((3, 3), 0.98, np.float32))
    assert scores.image.accepted.tolist() == [True, True]
    assert strict.image.accepted.tolist() == [True, False]
    assert strict.image.similarities is scores.image.similarities


def test_reliability_compares_scores_with_right_answers() -> None:
    """The jay at 0 and the wren at 120 degrees score 0.99331 and are right.

    The jay at 60 is answered as a robin with 1 / (1 + 2 e^-5) = 0.98670: the gaps are 0.00669,
    0.00669 and 0.98670.
    """
    image = evaluated(embedded((0, 0), (2, 120), (0, 60)), embedded())["image"]
    assert image["ece"] == pytest.approx((2 * 0.00669 + 0.98670) / 3, abs=1e-4)
    assert image["reliability"][0] == {"score": 0.9867, "accuracy": 0.0, "n": 1}
    assert [row["n"] for row in image["reliability"]] == [1, 1, 1]


def test_another_calibration_changes_the_scores() -> None:
    """At temperature 1 the cosines 1, 0.5 and -0.5 become e / (e + e^0.5 + e^-0.5) = 0.5465."""
    scores = score(BluePitch().fuse, factory(), embedded((0, 0)), embedded((0, 0)))
    warm = scores.with_calibration(
        Calibration((1.0, 0.1, 0.1), (0.5, 0.5, 0.5), 0.5), factory().thresholds
    )
    assert warm.image.probabilities[0] == pytest.approx(0.5465, abs=1e-4)
    assert warm.audio.probabilities[0] == pytest.approx(0.99331, abs=1e-5)


def test_one_sense_alone_is_fused_too() -> None:
    images = embedded((0, 10), (0, 40)).vectors
    assert np.allclose(fuse_rows(BluePitch().fuse, images, None), images)
    assert fuse_rows(BluePitch().fuse, None, images[:0]).shape == (0, 128)


def folders(tmp_path: Path) -> tuple[Path, Path]:
    for kind in ("images", "audio"):
        (tmp_path / kind / "Jay").mkdir(parents=True)
    picture(tmp_path / "images/Jay/a.png", 3)
    tone(tmp_path / "audio/Jay/a__0.wav", 7)
    tone(tmp_path / "audio/Jay/a__1.wav", 9)
    return tmp_path / "images", tmp_path / "audio"


def embed(images: Path, audio: Path) -> EmbeddedFiles:
    return embed_folders(BluePitch(), tuple(factory().labels), images, audio, lambda *_: None)


def test_folders_are_embedded_as_one_vector_for_each_file(tmp_path: Path) -> None:
    """Each file is one sample, and the two clips share a recording."""
    files = embed(*folders(tmp_path))
    assert np.allclose(files.images.vectors, at(3)[None], atol=1e-3)
    assert np.allclose(files.audio.vectors, [at(7), at(9)], atol=0.01)
    assert len(set(files.audio.recordings)) == 1 and not files.problems


def test_an_unusable_file_is_named_and_left_out(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    (images / "Jay" / "broken.png").write_bytes(b"no picture")
    (images / "Jay" / "notes.txt").touch()
    files = embed(images, audio)
    assert len(files.images.labels) == 1 and len(files.problems) == 2
    assert "notes.txt: not a file of this data set" in files.problems[0]
    assert "broken.png: not a picture" in files.problems[1]


def test_species_that_the_gallery_lacks_are_refused_by_name(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    (images / "Great_Tit").mkdir()
    picture(images / "Great_Tit" / "a.png", 3)
    with pytest.raises(InputError, match="the model does not know Great Tit; enrol these species"):
        embed(images, audio)


def test_a_folder_may_differ_from_the_species_in_case(tmp_path: Path) -> None:
    """The gallery's first species is `Jay`; `--unknown`, `enrol` and `species` also ignore case."""
    images, audio = folders(tmp_path)
    (images / "Jay").rename(images / "JAY")
    files = embed(images, audio)
    jay = factory().labels.index("Jay")
    assert files.images.labels.tolist() == [jay] and files.audio.labels.tolist() == [jay, jay]


def test_the_exact_spelling_precedes_another_case(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    files = embed_folders(BluePitch(), ("JAY", "Jay", "jay"), images, audio, lambda *_: None)
    assert files.images.labels.tolist() == [1]


def test_folders_without_a_usable_file_are_refused(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    for path in (*images.rglob("*.png"), *audio.rglob("*.wav")):
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no usable file in .*images or .*audio .*a.png: not a"):
        embed(images, audio)
