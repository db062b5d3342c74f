"""Judgement: each reason of an unknown answer, and the figure on which a decision hangs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from fakes import BluePitch, at, factory
from recorder_scene import NOON

from birdfield.model.gallery import margin_of_vectors
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision, Signal, decide
from birdfield.recognise.observation import Observation, to_json, to_line
from birdfield.recognise.reason import Figure, Measure, Reason, clearest
from birdfield.settings.rules import Rules

JAY = frozenset({"Jay"})
NO_BIRD = Figure(Measure.BIRD_CLASS, 0.03, 0.2)


def seen_at(degrees: float) -> Decision:
    return decide(BluePitch(), factory(), at(degrees), None)


def near_background() -> Decision:
    """Background at 3 degrees: its cosine at 0 is 0.9986, the jay's 1; 0.0014 is below 0.05."""
    gallery = replace(
        factory(), background_vectors=at(3)[None], background_senses=np.zeros(1, np.uint8)
    )
    return decide(BluePitch(), gallery, at(0), None)


def unexpected() -> Decision:
    """At 50 degrees from the wren the cosine is 0.643; less 0.1 x ln 10 it is 0.413."""
    gallery = replace(factory(), log_prior=np.log([1.0, 1.0, 0.1]))
    return decide(BluePitch(), gallery, at(170), None)


def without_bird() -> Decision:
    return decide(BluePitch(), factory(), None, at(0), Signal(bird=NO_BIRD))


def ruled(rules: Rules) -> Callable[[], Decision]:
    return lambda: rules.apply(seen_at(30), NOON)


# At 30 degrees the jay and the robin have the same cosine, 0.866, and each a score of 0.5.
@pytest.mark.parametrize(
    ("answer", "reason", "refused", "figure", "line"),
    [
        (
            lambda: seen_at(240),  # 120 degrees from the wren: cosine -0.5
            Reason.UNLIKE,
            None,
            (Measure.SIMILARITY, -0.5, 0.5),
            "unknown: too unlike any species (similarity -0.50, needs 0.50); nearest: ",
        ),
        (
            near_background,
            Reason.BACKGROUND,
            None,
            (Measure.LEAD, 0.00137, 0.05),
            "unknown: too similar to background (lead over background 0.00, needs 0.05); nearest: ",
        ),
        (
            without_bird,
            Reason.NO_BIRD_CLASS,
            "Jay",
            (Measure.BIRD_CLASS, 0.03, 0.2),
            "unknown: no bird class in the sound (bird class 0.03, needs 0.20); nearest: Jay 0.99",
        ),
        (
            unexpected,
            Reason.UNEXPECTED,
            "Wren",
            (Measure.SIMILARITY, 0.41253, 0.5),
            "unknown: Wren is unexpected here (similarity 0.41, needs 0.50); nearest: ",
        ),
        (
            ruled(Rules(exclude=JAY)),
            Reason.EXCLUDED,
            "Jay",
            None,
            "unknown: Jay is excluded by you; nearest: Jay 0.50, ",
        ),
        (
            ruled(Rules(include=frozenset({"Robin"}))),
            Reason.EXCLUDED,
            "Jay",
            None,
            "unknown: Jay is excluded by you; nearest: Jay 0.50, ",
        ),
        (
            ruled(Rules(snoozed={"Jay": NOON + timedelta(seconds=1)})),
            Reason.SNOOZED,
            "Jay",
            None,
            "unknown: Jay is snoozed by you; nearest: Jay 0.50, ",
        ),
        (
            ruled(Rules(thresholds={"Jay": 0.75})),
            Reason.BELOW_THRESHOLD,
            "Jay",
            (Measure.SCORE, 0.49999, 0.75),
            "unknown: Jay is below your threshold (score 0.50, needs 0.75); nearest: Jay 0.50, ",
        ),
    ],
)
def test_an_unknown_answer_says_why(
    answer: Callable[[], Decision],
    reason: Reason,
    refused: str | None,
    figure: tuple[Measure, float, float] | None,
    line: str,
) -> None:
    found = answer()
    assert found.unknown and (found.reason, found.refused) == (reason, refused)
    observation = Observation(NOON, None, None, found, "a.png", None)
    entry = to_json(observation, "m")
    assert entry["reason"] == reason and f"  {line}" in to_line(observation)
    if figure is None:
        assert found.figure is None and entry["decided_by"] is None
    else:
        assert found.figure is not None and found.figure.measure == figure[0]
        assert (found.figure.value, found.figure.needed) == pytest.approx(figure[1:], abs=1e-4)
        assert entry["decided_by"] == {
            "figure": figure[0],
            "value": pytest.approx(figure[1], abs=1e-4),
            "needed": pytest.approx(figure[2], abs=1e-4),
        }


def test_a_known_answer_shows_the_figure_on_which_it_hangs() -> None:
    """At 30 degrees the cosine is 0.866. The score of 0.5 decides nothing."""
    found = seen_at(30)
    assert (found.reason, found.refused) == (None, None)
    line = to_line(Observation(NOON, None, None, found, "a.png", None))
    assert line == "a.png  [image]  Jay 0.50, Robin 0.50, Wren 0.00 (similarity 0.87, needs 0.50)"


@pytest.mark.parametrize("degrees", [0, 6, 40, 100, 170, 181, 240, 300])
@pytest.mark.parametrize("background", [3, 100])
def test_the_figure_has_the_margin_over_unknown(degrees: int, background: int) -> None:
    gallery = replace(
        factory(), background_vectors=at(background)[None], background_senses=np.zeros(1, np.uint8)
    )
    found = decide(BluePitch(), gallery, at(degrees), None)
    [expected] = margin_of_vectors(at(degrees)[None], gallery, Sense.IMAGE)
    assert found.figure is not None and found.figure.margin == found.margin_over_unknown
    assert found.margin_over_unknown == pytest.approx(float(expected), abs=1e-6)
    assert found.unknown == (expected < 0)


def test_a_prior_that_changes_only_the_order_is_no_reason() -> None:
    """At 100 degrees the wren, at 120, is unknown by a threshold of 0.99, and is not expected.

    Without the prior it would be unknown as well.
    """
    thresholds = np.array([[0.5] * 3, [0.99] * 3, [0.99] * 3], np.float32)
    gallery = replace(factory(), thresholds=thresholds, log_prior=np.log([1.0, 1.0, 0.1]))
    assert decide(BluePitch(), gallery, at(100), None).reason == Reason.UNLIKE


def test_a_bird_class_counts_by_sound_alone_and_whatever_the_similarity() -> None:
    """240 degrees is far from each species, so nothing would be answered anyhow."""
    mute = Signal(bird=NO_BIRD)
    assert decide(BluePitch(), factory(), at(0), at(0), mute).reason is None
    far = decide(BluePitch(), factory(), None, at(240), mute)
    assert (far.reason, far.refused) == (Reason.NO_BIRD_CLASS, None)


def test_a_figure_has_the_decimals_that_tell_its_numbers_apart() -> None:
    assert str(Figure(Measure.SCORE, 0.5, 0.75)) == "score 0.50, needs 0.75"
    assert str(Figure(Measure.SCORE, 0.7499, 0.75)) == "score 0.7499, needs 0.7500"
    assert str(Figure(Measure.SCORE, 0.75, 0.75)) == "score 0.7500, needs 0.7500"


def test_the_clearest_bird_of_several_windows_counts() -> None:
    """0.3 of 0.4 is farther from a bird than 0.15 of 0.2; where one is not gated, none counts."""
    faint, beside_voice = Figure(Measure.BIRD_CLASS, 0.15, 0.2), Figure(Measure.SCORE, 0.3, 0.4)
    assert clearest(beside_voice, faint) is faint and clearest(faint, None) is None
