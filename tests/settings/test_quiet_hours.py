import re
import time as clock
from collections.abc import Iterator
from datetime import UTC, datetime, time

import pytest

from birdfield.errors import LocationMissingError, UsageError
from birdfield.settings.place import Location
from birdfield.settings.quiet_hours import QuietHours, parse_quiet, sun_height_deg

GREENWICH = (51.4769, -0.0005)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


def hours_utc(quiet: QuietHours) -> list[int]:
    """Return the hours UTC of 1 May whose middle lies in the quiet hours."""
    return [
        hour for hour in range(24) if quiet.contains(datetime(2026, 5, 1, hour, 30, tzinfo=UTC))
    ]


def test_hours_are_local_and_may_include_midnight(berlin: None) -> None:
    """In May, Berlin is 2 h ahead of UTC: 22:00 to 04:30 there is 20:00 to 02:30 UTC."""
    assert hours_utc(parse_quiet("22:00-04:30", None)) == [0, 1, 20, 21, 22, 23]
    assert hours_utc(parse_quiet("12:00-14:00", None)) == [10, 11]
    assert parse_quiet("05:00-05:00", None) == QuietHours(time(5), time(5))
    assert hours_utc(parse_quiet("05:00-05:00", None)) == []


def test_height_of_the_sun() -> None:
    """At the June solstice, noon is 90 - latitude + 23.44 degrees high, in December - 23.44.

    At the March equinox the sun passes the zenith of the equator at noon.
    """
    assert sun_height_deg(datetime(2026, 6, 21, 12, 2, tzinfo=UTC), *GREENWICH) == pytest.approx(
        90 - 51.4769 + 23.44, abs=0.1
    )
    assert sun_height_deg(datetime(2026, 12, 21, 11, 58, tzinfo=UTC), *GREENWICH) == pytest.approx(
        90 - 51.4769 - 23.44, abs=0.1
    )
    assert sun_height_deg(datetime(2026, 3, 20, 12, 7, tzinfo=UTC), 0, 0) > 89.5
    assert sun_height_deg(datetime(2026, 3, 20, 0, 7, tzinfo=UTC), 0, 180) > 89.5


def test_night_is_from_sunset_to_sunrise() -> None:
    """At the equinox, the day on the equator at Greenwich is from 6 to 18 h UTC.

    At 80 degrees north the sun stays up in June and down in December.
    """
    equator = QuietHours(latitude=0, longitude=0)
    day = [
        hour
        for hour in range(24)
        if not equator.contains(datetime(2026, 3, 20, hour, 30, tzinfo=UTC))
    ]
    assert day == list(range(6, 18))
    north = parse_quiet("night", Location(80.0, 0.0, "Svalbard"))
    assert not north.contains(datetime(2026, 6, 21, 0, 0, tzinfo=UTC)), "the midnight sun"
    assert north.contains(datetime(2026, 12, 21, 12, 0, tzinfo=UTC)), "the polar night"


@pytest.mark.parametrize("text", ["", "22-4", "22:00", "24:00-05:00", "22:60-05:00", "Night"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match=re.escape(f"quiet.hours is {text!r}; expected HH:MM-HH:MM")
    ):
        parse_quiet(text, None)


def test_night_needs_a_location() -> None:
    with pytest.raises(LocationMissingError, match="follows the sun"):
        parse_quiet("night", None)
