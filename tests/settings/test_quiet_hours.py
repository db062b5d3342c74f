import re
import time as clock
from collections.abc import Iterator
from datetime import UTC, datetime, time

import pytest

from birdfield.errors import UsageError
from birdfield.settings.quiet_hours import Quiet, parse_quiet, sun_height_deg

GREENWICH = (51.4769, -0.0005)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


def quiet_hours(quiet: Quiet) -> list[int]:
    """Return at which hours UTC of the first of May it is quiet."""
    return [hour for hour in range(24) if quiet.at(datetime(2026, 5, 1, hour, 30, tzinfo=UTC))]


def test_hours_are_local_and_may_pass_midnight(berlin: None) -> None:
    """In May, Berlin is 2 h ahead: 22:00 to 04:30 there is 20:00 to 02:30 UTC."""
    assert quiet_hours(parse_quiet("22:00-04:30", None)) == [0, 1, 20, 21, 22, 23]
    assert quiet_hours(parse_quiet("12:00-14:00", None)) == [10, 11]
    assert parse_quiet("05:00-05:00", None) == Quiet(time(5), time(5))
    assert quiet_hours(parse_quiet("05:00-05:00", None)) == []


def test_the_sun_stands_where_the_year_says() -> None:
    """At the solstice, noon is 90 - latitude + 23.44 high; on the equator in March, overhead."""
    assert sun_height_deg(datetime(2026, 6, 21, 12, 2, tzinfo=UTC), *GREENWICH) == pytest.approx(
        90 - 51.4769 + 23.44, abs=0.1
    )
    assert sun_height_deg(datetime(2026, 12, 21, 11, 58, tzinfo=UTC), *GREENWICH) == pytest.approx(
        90 - 51.4769 - 23.44, abs=0.1
    )
    assert sun_height_deg(datetime(2026, 3, 20, 12, 7, tzinfo=UTC), 0, 0) > 89.5
    assert sun_height_deg(datetime(2026, 3, 20, 0, 7, tzinfo=UTC), 0, 180) > 89.5


def test_night_is_from_sunset_to_sunrise() -> None:
    """At the equinox day and night are equal, and at the date line noon is midnight UTC."""
    day = [
        hour
        for hour in range(24)
        if not Quiet(latitude=0, longitude=0).at(datetime(2026, 3, 20, hour, 30, tzinfo=UTC))
    ]
    assert day == list(range(6, 18))
    north = parse_quiet("night", (80.0, 0.0))
    assert not north.at(datetime(2026, 6, 21, 0, 0, tzinfo=UTC)), "the midnight sun"
    assert north.at(datetime(2026, 12, 21, 12, 0, tzinfo=UTC)), "the polar night"


@pytest.mark.parametrize("text", ["", "22-4", "22:00", "24:00-05:00", "22:60-05:00", "Night"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--quiet is {text!r}; expected HH:MM-HH:MM")):
        parse_quiet(text, None)


def test_night_needs_a_place() -> None:
    with pytest.raises(UsageError, match="goes by the sun; add --location"):
        parse_quiet("night", None)
