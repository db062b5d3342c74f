"""Visits: claims of windows and their pooling; window n is [2.4 n, 2.4 n + 5.3) s."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fakes import BluePitch, at, factory

from birdfield.model.sense import Sense
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.watch.claims import Claim, window_claims
from birdfield.watch.visits import Visit, VisitTracker
from birdfield.watch.window import WINDOW_STEP_S, Window

WINDOW_S = 5.3
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENCODER, GALLERY = BluePitch(), factory()  # Jay at 0, Robin at 60, Wren at 120 degrees


def window(number: int, seen: float | None = None, heard: float | None = None) -> Window:
    """Return a window with a picture and a sound at these angles, in degrees."""
    start_s = number * WINDOW_STEP_S
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
    tracker = VisitTracker(gap_s)
    found = []
    for each in windows:
        tracker.add(each, window_claims(ENCODER, GALLERY, each))
        found += tracker.ended(each.end_s)
    return found + tracker.close()


def quiet_windows(first: int, count: int) -> list[Window]:
    return [window(number) for number in range(first, first + count)]


def test_a_bird_that_is_heard_and_later_seen_is_one_visit() -> None:
    """The bird is heard from window 0 at 0 s, and seen until window 5 ends at 12 + 5.3 = 17.3 s."""
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
    np.testing.assert_allclose(visit.vectors[Sense.IMAGE], at(60), atol=1e-6)
    np.testing.assert_allclose(visit.vectors[Sense.AUDIO], at(60), atol=1e-6)


def test_the_visit_of_a_bird_that_is_only_seen_starts_at_its_frame() -> None:
    """A frame is the last of its window [7.2, 12.5), and no earlier window has seen the bird."""
    (visit,) = pool([window(number, seen=0) for number in (3, 4)])
    assert visit.start_s == pytest.approx(12.5 - 2.4)
    assert (visit.species, visit.agreement, visit.senses) == ("Jay", "single", {"image"})


@pytest.mark.parametrize(("away", "visits"), [(12, 1), (15, 2)])
def test_a_visit_ends_after_a_gap(away: int, visits: int) -> None:
    """Window 2 ends at 10.1 s; the next claim is 28.8 or 36 s later, for a gap of 30 s."""
    found = pool(
        [
            *(window(number, seen=0) for number in range(3)),
            *quiet_windows(3, away - 1),
            *(window(2 + away + number, seen=0) for number in range(3)),
        ]
    )
    assert [visit.species for visit in found] == ["Jay"] * visits


def test_a_visit_ends_without_further_windows() -> None:
    tracker = VisitTracker(gap_s=30)
    for number in range(3):
        each = window(number, seen=0)
        tracker.add(each, window_claims(ENCODER, GALLERY, each))
    assert tracker.ended(40.0) == []
    assert [visit.species for visit in tracker.ended(40.2)] == ["Jay"]


def test_a_single_window_is_a_visit_only_if_sight_and_sound_agree() -> None:
    """The support of one window is 0.99, of an agreeing one 1.97; a visit needs 1.9."""
    assert pool([window(0, seen=60)]) == []
    assert pool([window(0, heard=60)]) == []
    assert [visit.species for visit in pool([window(0, seen=60, heard=60)])] == ["Robin"]


@pytest.mark.parametrize(("windows", "visits"), [(3, 0), (4, 1)])
def test_windows_below_the_threshold_add_up_to_a_visit(windows: int, visits: int) -> None:
    """185 degrees is 65 from the Wren: cos 65 = 0.4226 is 0.0774 below the threshold of 0.5.

    That is 0.0226 above the midpoint at -0.1, so each window has the weight
    1 / (1 + e^(-0.0226 / 0.05)) = 0.611: three have 1.83 of the 1.9 that a visit needs.
    """
    unsure = [window(number, seen=185) for number in range(windows)]
    assert all(
        each.observation is not None and each.observation.decision.unknown for each in unsure
    )
    assert [visit.species for visit in pool(unsure)] == ["Wren"] * visits


def test_a_sense_far_from_all_species_makes_no_claim() -> None:
    """A Jay is heard beside a picture at 220 degrees, 100 from the Wren: its weight is 1."""
    (claim,) = window_claims(ENCODER, GALLERY, window(0, seen=220, heard=0))
    assert (claim.species, claim.senses) == ("Jay", ("audio",))
    assert claim.weight == pytest.approx(1.0, abs=1e-4)


def test_two_birds_at_once_are_two_visits_with_less_weight() -> None:
    """A Jay is seen while a Wren sings: each claim weighs 0.7, two of them 1.4, three 2.1."""
    assert pool([window(number, seen=0, heard=120) for number in range(2)]) == []
    found = pool([window(number, seen=0, heard=120) for number in range(3)])
    assert {(visit.species, *visit.senses) for visit in found} == {
        ("Jay", "image"),
        ("Wren", "audio"),
    }


@pytest.mark.parametrize(("heard", "species"), [(105, {"Robin"}), (120, {"Robin", "Wren"})])
def test_a_sound_compatible_with_the_seen_bird_claims_no_other(
    heard: float, species: set[str]
) -> None:
    """A Robin is seen, and the sound is nearest to the Wren, at 120 degrees.

    By sound, the Robin has the probability 1 / (1 + e^(0.259 / 0.1)) = 0.070 at 105 degrees, and
    1 / (1 + e^5) = 0.007 at 120; from 0.01 on the sound may be the Robin's.
    """
    claims = window_claims(ENCODER, GALLERY, window(0, seen=60, heard=heard))
    assert {claim.species for claim in claims} == species
    assert claims[0].senses == (Sense.IMAGE,)
    assert claims[0].weight == pytest.approx(1.0 if len(claims) == 1 else 0.7, abs=1e-3)


@pytest.mark.parametrize(("heard", "species"), [(0, ["Jay"]), (250, [])])
def test_a_picture_far_from_all_species_does_not_mask_a_song(
    heard: float, species: list[str]
) -> None:
    """The picture, at 220 degrees, is far from all species, and the Jay's song is at 0 degrees.

    Fused they are at 290 degrees, 70 from the Jay: the decision needs the song alone.
    """
    found = pool([window(number, seen=220, heard=heard) for number in range(4)])
    assert [visit.species for visit in found] == species
    assert all(visit.senses == {"audio"} for visit in found)


def test_two_species_in_turn_are_two_visits() -> None:
    """The other species has the probability e^(-10 (1 + 0.5)), too small to be tallied."""
    found = pool([window(number, seen=(0, 120)[number % 2]) for number in range(8)])
    assert sorted(visit.species or "" for visit in found) == ["Jay", "Wren"]


def shared(number: int, share: float) -> tuple[Window, list[Claim]]:
    """Return a window in which the Robin has this share of the probability, the Jay the rest."""
    top = sorted([("Robin", share), ("Jay", 1 - share)], key=lambda item: -item[1])
    return window(number), [Claim(top[0][0], top[0][1], 1.0, (Sense.IMAGE,), tuple(top))]


def pool_claims(shares: Sequence[float]) -> list[Visit]:
    tracker = VisitTracker()
    for number, share in enumerate(shares):
        tracker.add(*shared(number, share))
    return tracker.close()


def test_a_visit_without_a_dominant_species_is_undecided() -> None:
    """The Robin has 4 x 0.8 + 3 x 0.3 = 4.1 of 7, a share of 0.586; it needs 0.7."""
    (visit,) = pool_claims([0.8, 0.3, 0.8, 0.3, 0.8, 0.3, 0.8])
    assert (visit.species, visit.agreement) == (None, "disagree")
    assert [species for species, _ in visit.candidates] == ["Robin", "Jay"]
    assert [share for _, share in visit.candidates] == pytest.approx([4.1 / 7, 2.9 / 7])
    assert visit.windows == 4 and visit.start_s == pytest.approx(5.3 - 2.4)


def test_a_bird_that_is_sometimes_confused_is_one_visit() -> None:
    """The Robin has 6 x 0.9 + 2 x 0.3 = 6 of 8, a share of 0.75; its visit absorbs the Jay's."""
    (visit,) = pool_claims([0.3, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.3])
    assert (visit.species, visit.windows) == ("Robin", 6)
    assert visit.start_s == pytest.approx(5.3 - 2.4), (
        "the first window, which claimed a Jay, is the Robin's"
    )


@pytest.mark.parametrize(("step_s", "found"), [(2.4, 0), (3.0, 1)])
def test_a_visit_of_longer_steps_needs_fewer_windows(step_s: float, found: int) -> None:
    """Two claims of 0.8 have the support 1.6: less than 1.9, more than 1.9 x 2.4 / 3 = 1.52."""
    tracker = VisitTracker(step_s=step_s)
    for number in range(2):
        tracker.add(window(number), [Claim("Robin", 0.8, 1.0, (Sense.IMAGE,), (("Robin", 0.8),))])
    assert len(tracker.close()) == found


def test_an_unknown_bird_is_no_visit() -> None:
    """250 degrees is 130 from the Wren and 110 from the Jay: both cosines are negative."""
    assert pool([window(number, seen=250) for number in range(5)]) == []


def test_sound_that_must_not_be_kept_leaves_no_vector() -> None:
    tracker = VisitTracker()
    for number in range(3):
        each = window(number, seen=60, heard=60)
        tracker.add(each, window_claims(ENCODER, GALLERY, each), keep_sound=False)
    (visit,) = tracker.close()
    assert set(visit.vectors) == {"image"} and visit.senses == {"image", "audio"}


def test_the_memory_of_a_visit_does_not_grow() -> None:
    tracker = VisitTracker()
    for number in range(1000):
        each = window(number, seen=60, heard=60)
        tracker.add(each, window_claims(ENCODER, GALLERY, each))
        if number == 2:
            (visit,) = tracker._open.values()
            early = (len(visit.tally), len(visit.sums), visit.media)
    assert (len(visit.tally), len(visit.sums), visit.media) == early
    assert visit.windows == 1000
