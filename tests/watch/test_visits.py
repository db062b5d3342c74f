"""Windows follow one another by 2.4 s; window n of sound is [2.4 n, 2.4 n + 5.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fakes import BluePitch, at, factory

from birdfield.recognise.decide import decide
from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.watch.scene import DECISION_S
from birdfield.watch.visits import Claim, Visit, Visits, claims_of
from birdfield.watch.window import Window

WINDOW_S = 5.3
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENCODER, GALLERY = BluePitch(), factory()  # Jay at 0, Robin at 60, Wren at 120 degrees


def window(number: int, seen: float | None = None, heard: float | None = None) -> Window:
    """Look at a picture, and listen to a sound, at an angle each."""
    start_s = number * DECISION_S
    end_s = start_s + WINDOW_S
    time = NOON + timedelta(seconds=end_s)
    image = None if seen is None else at(seen)
    audio = None if heard is None else at(heard)
    if image is None and audio is None:
        return Window(time, start_s, end_s)
    decision = decide(ENCODER, GALLERY, image, audio)
    return Window(
        time,
        start_s,
        end_s,
        {},
        Observation(time, start_s, end_s, decision, "a", "b"),
        seen=EmbeddedSample(image, None) if image is not None else NO_SAMPLE,
        heard=EmbeddedSample(None, audio) if audio is not None else NO_SAMPLE,
    )


def pool(windows: Sequence[Window], gap_s: float = 30.0) -> list[Visit]:
    visits = Visits(gap_s)
    found = []
    for each in windows:
        visits.take(each, claims_of(ENCODER, GALLERY, each))
        found += visits.ended(each.end_s)
    return found + visits.close()


def quiet(first: int, count: int) -> list[Window]:
    return [window(number) for number in range(first, first + count)]


def test_a_bird_heard_first_and_seen_later_is_one_visit() -> None:
    """Heard from window 0, at 0 s; seen to window 5, which ends at 12 + 5.3 = 17.3 s."""
    (visit,) = pool(
        [
            *(window(number, heard=60) for number in range(3)),
            *(window(number, seen=60, heard=60) for number in range(3, 5)),
            window(5, seen=60),
        ]
    )
    assert (visit.species, visit.agreement, visit.windows) == ("Robin", "agree", 6)
    assert visit.senses == {"image", "audio"}
    assert (visit.start_s, visit.end_s) == pytest.approx((0.0, 17.3))
    assert visit.score > 0.9
    np.testing.assert_allclose(visit.vectors["image"], at(60), atol=1e-6)
    np.testing.assert_allclose(visit.vectors["audio"], at(60), atol=1e-6)


def test_a_bird_that_is_only_seen_begins_with_its_frame() -> None:
    """A frame is the last of its window [7.2, 12.5): the bird was not seen in the one before."""
    (visit,) = pool([window(number, seen=0) for number in (3, 4)])
    assert visit.start_s == pytest.approx(12.5 - 2.4)
    assert (visit.species, visit.agreement, visit.senses) == ("Jay", "single", {"image"})


@pytest.mark.parametrize(("away", "visits"), [(12, 1), (15, 2)])
def test_a_visit_ends_after_a_gap(away: int, visits: int) -> None:
    """Window 2 ends at 10.1 s; the gap is known at the end of a window, 28.8 or 36 s later."""
    found = pool(
        [
            *(window(number, seen=0) for number in range(3)),
            *quiet(3, away - 1),
            *(window(2 + away + number, seen=0) for number in range(3)),
        ]
    )
    assert [visit.species for visit in found] == ["Jay"] * visits


def test_the_end_is_known_although_no_sense_is_usable() -> None:
    visits = Visits(gap_s=30)
    for number in range(3):
        each = window(number, seen=0)
        visits.take(each, claims_of(ENCODER, GALLERY, each))
    assert visits.ended(40.0) == []
    assert [visit.species for visit in visits.ended(40.2)] == ["Jay"]


def test_a_single_window_is_no_visit_unless_sight_and_sound_agree() -> None:
    """One window counts 0.99, agreeing 1.97; a visit needs 1.9."""
    assert pool([window(0, seen=60)]) == []
    assert pool([window(0, heard=60)]) == []
    assert [visit.species for visit in pool([window(0, seen=60, heard=60)])] == ["Robin"]


@pytest.mark.parametrize(("windows", "visits"), [(3, 0), (4, 1)])
def test_answers_that_none_is_given_for_add_up(windows: int, visits: int) -> None:
    """185 degrees is 65 from the Wren: cos 65 = 0.4226 is 0.0774 below what is answered, 0.0226
    above the half; each counts 1 / (1 + e^(-0.0226 / 0.05)) = 0.611, 3 of them 1.83 of 1.9."""
    unsure = [window(number, seen=185) for number in range(windows)]
    assert all(
        each.observation is not None and each.observation.decision.unknown for each in unsure
    )
    assert [visit.species for visit in pool(unsure)] == ["Wren"] * visits


def test_a_sense_that_is_far_from_all_species_says_nothing() -> None:
    """A Jay is heard with a picture at 220 degrees, 100 from the Wren: not disputed."""
    (claim,) = claims_of(ENCODER, GALLERY, window(0, seen=220, heard=0))
    assert (claim.species, claim.senses) == ("Jay", ("audio",))
    assert claim.weight == pytest.approx(1.0, abs=1e-4)


def test_two_birds_at_once_are_two_visits_of_windows_that_count_less() -> None:
    """A Jay is seen while a Wren sings: each counts 0.7, 2 of them 1.4, 3 of them 2.1."""
    assert pool([window(number, seen=0, heard=120) for number in range(2)]) == []
    found = pool([window(number, seen=0, heard=120) for number in range(3)])
    assert {(visit.species, *visit.senses) for visit in found} == {
        ("Jay", "image"),
        ("Wren", "audio"),
    }


@pytest.mark.parametrize(("heard", "species"), [(105, {"Robin"}), (120, {"Robin", "Wren"})])
def test_a_sound_that_is_possibly_the_seen_birds_tells_of_no_other(
    heard: float, species: set[str]
) -> None:
    """A Robin is seen; by sound, nearest to the Wren, it is 1 / (1 + e^(0.259 / 0.1)) = 0.070 at
    105 degrees, and 1 / (1 + e^5) = 0.007 at 120."""
    claims = claims_of(ENCODER, GALLERY, window(0, seen=60, heard=heard))
    assert {claim.species for claim in claims} == species
    assert claims[0].senses == ("image",)
    assert claims[0].weight == pytest.approx(1.0 if len(claims) == 1 else 0.7, abs=1e-3)


@pytest.mark.parametrize(("heard", "species"), [(0, ["Jay"]), (250, [])])
def test_an_empty_garden_does_not_silence_a_song(heard: float, species: list[str]) -> None:
    """The picture is at 220 degrees, 100 from the Wren: of no species.

    Joined with the Jay's 0 it is at 290 degrees, 70 from the Jay: the song alone tells.
    """
    found = pool([window(number, seen=220, heard=heard) for number in range(4)])
    assert [visit.species for visit in found] == species
    assert all(visit.senses == {"audio"} for visit in found)


def test_birds_that_take_turns_are_two_visits() -> None:
    """They are too unlike for one to be taken for the other: e^(-10 (1 + 0.5)) is no matter."""
    found = pool([window(number, seen=(0, 120)[number % 2]) for number in range(8)])
    assert sorted(visit.species or "" for visit in found) == ["Jay", "Wren"]


def between(number: int, share: float) -> tuple[Window, list[Claim]]:
    """Give a window whose answer wavers: Robin has a share of the probability, the Jay the rest."""
    top = sorted([("Robin", share), ("Jay", 1 - share)], key=lambda item: -item[1])
    return window(number), [Claim(top[0][0], top[0][1], 1.0, ("image",), tuple(top))]


def pool_claims(shares: Sequence[float]) -> list[Visit]:
    visits = Visits()
    for number, share in enumerate(shares):
        visits.take(*between(number, share))
    return visits.close()


def test_evidence_that_conflicts_is_one_undecided_visit() -> None:
    """Robin has 4 x 0.8 + 3 x 0.3 = 4.1 of 7, 0.586 of the two; 0.7 is needed."""
    (visit,) = pool_claims([0.8, 0.3, 0.8, 0.3, 0.8, 0.3, 0.8])
    assert (visit.species, visit.agreement) == (None, "disagree")
    assert [species for species, _ in visit.candidates] == ["Robin", "Jay"]
    assert [share for _, share in visit.candidates] == pytest.approx([4.1 / 7, 2.9 / 7])
    assert visit.windows == 4 and visit.start_s == pytest.approx(5.3 - 2.4)


def test_a_bird_that_is_now_and_then_taken_for_another_is_one_visit() -> None:
    """Robin has 6 x 0.9 + 2 x 0.3 = 6 of 8, 0.75; the Jay's windows are the Robin's."""
    (visit,) = pool_claims([0.3, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.3])
    assert (visit.species, visit.windows) == ("Robin", 6)
    assert visit.start_s == pytest.approx(5.3 - 2.4), "the Jay's first window was the Robin's"


@pytest.mark.parametrize(("step_s", "found"), [(2.4, 0), (3.0, 1)])
def test_where_fewer_windows_come_fewer_are_enough(step_s: float, found: int) -> None:
    """Two claims of 0.8 are 1.6: less than 1.9, and more than 1.9 x 2.4 / 3 = 1.52."""
    visits = Visits(step_s=step_s)
    for number in range(2):
        visits.take(window(number), [Claim("Robin", 0.8, 1.0, ("image",), (("Robin", 0.8),))])
    assert len(visits.close()) == found


def test_an_unknown_bird_is_no_visit() -> None:
    """180 degrees is 60 from the Wren: the cosine is 0.5, and -0.5 at 240 degrees from Jay."""
    assert pool([window(number, seen=250) for number in range(5)]) == []


def test_sound_that_may_not_be_kept_leaves_no_vector() -> None:
    visits = Visits()
    for number in range(3):
        each = window(number, seen=60, heard=60)
        visits.take(each, claims_of(ENCODER, GALLERY, each), keep_sound=False)
    (visit,) = visits.close()
    assert set(visit.vectors) == {"image"} and visit.senses == {"image", "audio"}


def test_a_visit_of_hours_takes_no_more_memory() -> None:
    visits = Visits()
    for number in range(1000):
        each = window(number, seen=60, heard=60)
        visits.take(each, claims_of(ENCODER, GALLERY, each))
        if number == 2:
            (visit,) = visits._open.values()
            early = (len(visit.tally), len(visit.sums), visit.kept)
    assert (len(visit.tally), len(visit.sums), visit.kept) == early
    assert visit.windows == 1000
