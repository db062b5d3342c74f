from dataclasses import replace

import numpy as np
import pytest
from fakes import BluePitch, at, factory

from birdfield.errors import InputError
from birdfield.model.gallery import Gallery
from birdfield.model.species import Species
from birdfield.recognise.decide import combined_sense, decide, log_softmax


def first(count: int) -> Gallery:
    """Return a gallery of the first species of the factory."""
    whole = factory()
    rows = whole.owner < count
    return replace(
        whole,
        species=whole.species[:count],
        vectors=whole.vectors[rows],
        owner=whole.owner[rows],
        senses=whole.senses[rows],
        thresholds=whole.thresholds[:count],
    )


def test_the_nearest_species_is_the_answer_with_its_probability() -> None:
    """Cosines 1, 0.5 and -0.5 over 0.1 are 10, 5 and -5: 1 / (1 + e^-5 + e^-15) = 0.99331."""
    answer = decide(BluePitch(), factory(), at(0), None)
    assert answer.species == "Jay" and not answer.unknown
    assert answer.score == pytest.approx(0.993307, abs=1e-5)
    assert answer.similarity == pytest.approx(1) and answer.margin == pytest.approx(0.5, abs=1e-6)
    assert [label for label, _ in answer.top] == ["Jay", "Robin", "Wren"]
    assert [score for _, score in answer.top] == pytest.approx([0.993307, 0.006693, 3e-7], abs=1e-5)


def test_both_senses_are_fused_before_they_are_compared() -> None:
    """A picture at 40 and a sound at 80 degrees are together at 60, where the robin is."""
    answer = decide(BluePitch(), factory(), at(40), at(80))
    assert answer.species == "Robin" and answer.similarity == pytest.approx(1)
    assert answer.senses == ("image", "audio")


@pytest.mark.parametrize(
    ("image", "audio", "sense", "senses"),
    [
        (at(0), None, "image", ("image",)),
        (None, at(0), "audio", ("audio",)),
        (at(0), at(0), "both", ("image", "audio")),
    ],
)
def test_a_decision_lists_the_senses_it_used(
    image: np.ndarray | None, audio: np.ndarray | None, sense: str, senses: tuple[str, ...]
) -> None:
    assert combined_sense(image, audio) == sense
    assert decide(BluePitch(), factory(), image, audio).senses == senses


@pytest.mark.parametrize(("degrees", "known"), [(59.9, True), (60.1, False), (180, False)])
def test_a_vector_beyond_the_threshold_is_unknown(degrees: float, known: bool) -> None:
    """The threshold 0.5 is the cosine of 60 degrees; the only species is at 0 degrees."""
    answer = decide(BluePitch(), first(1), at(degrees), None)
    assert answer.unknown != known and answer.species == ("Jay" if known else None)
    assert answer.top[0][0] == "Jay"


def test_the_threshold_of_the_species_and_the_sense_decides() -> None:
    """20 degrees from the jay the cosine is 0.9397: above 0.93 by sight, below 0.95 by sound."""
    thresholds = np.array([[0.93, 0.95, 0.5]] * 3, np.float32)
    strict = replace(factory(), thresholds=thresholds)
    assert decide(BluePitch(), strict, at(20), None).species == "Jay"
    assert decide(BluePitch(), strict, None, at(20)).unknown


@pytest.mark.parametrize(
    ("image", "audio", "agreement"),
    [
        (at(10), at(20), "agree"),
        (at(10), at(60), "disagree"),
        (at(10), None, "single"),
        (None, at(10), "single"),
    ],
)
def test_a_decision_says_whether_the_senses_agree(
    image: np.ndarray | None, audio: np.ndarray | None, agreement: str
) -> None:
    assert decide(BluePitch(), factory(), image, audio).agreement == agreement


def test_agreement_is_judged_by_the_prototypes_of_each_sense() -> None:
    """By sight the jay is at 0 degrees and the robin at 60; by sound it is the reverse."""
    vectors = factory().vectors.copy()
    vectors[1], vectors[4] = at(60), at(0)  # the jay's and the robin's voice
    split = replace(factory(), vectors=vectors)
    assert decide(BluePitch(), split, at(0), at(60)).agreement == "agree"
    assert decide(BluePitch(), split, at(0), at(0)).agreement == "disagree"


def test_a_vector_nearest_to_background_is_unknown() -> None:
    """The jay is at 0 degrees, and a background picture at 10, nearer to 6; a sound is a jay."""
    gallery = replace(
        factory(), background_vectors=at(10)[None], background_senses=np.zeros(1, np.uint8)
    )
    seen = decide(BluePitch(), gallery, at(6), None)
    assert seen.unknown and seen.top[0][0] == "Jay"
    assert decide(BluePitch(), gallery, None, at(6)).species == "Jay"


def test_a_single_species_has_probability_1() -> None:
    """Its margin is that over a similarity of -1: 0.5 - (-1) = 1.5."""
    answer = decide(BluePitch(), first(1), at(60), None)
    assert answer.score == 1 and answer.top == (("Jay", 1.0),)
    assert answer.margin == pytest.approx(1.5, abs=1e-6)


def test_a_gallery_of_two_species_has_a_top_of_two() -> None:
    assert len(decide(BluePitch(), first(2), at(0), None).top) == 2


def test_equal_species_keep_their_order() -> None:
    """The jay and the robin have the same prototypes."""
    same = replace(first(2), vectors=np.repeat(at(0)[None], 6, axis=0))
    answer = decide(BluePitch(), same, at(0), None)
    assert answer.species == "Jay" and answer.margin == 0 and answer.score == 0.5


def test_a_gallery_without_species_is_refused() -> None:
    empty = Gallery(
        (),
        np.zeros((0, 128), np.float32),
        np.zeros(0, np.int32),
        np.zeros(0, np.uint8),
        np.zeros((0, 3), np.float32),
        factory().calibration,
    )
    with pytest.raises(InputError, match="the model has no species; enrol one first"):
        decide(BluePitch(), empty, at(0), None)


def test_a_species_without_prototypes_is_never_nearest() -> None:
    with_ghost = replace(
        factory(),
        species=(*factory().species, Species("Ghost")),
        thresholds=np.full((4, 3), 0.5, np.float32),
    )
    assert decide(BluePitch(), with_ghost, at(200), None).top[0][0] == "Wren"


def test_log_softmax_does_not_overflow() -> None:
    """ln(1/2) = -0.6931; ln(1 / (1 + e^-1000)) = 0 and ln(e^-1000 / 1) = -1000."""
    assert np.allclose(log_softmax(np.array([3.0, 3.0])), [-0.693147] * 2)
    assert np.allclose(log_softmax(np.array([[1000.0, 0.0]])), [[0, -1000]])
