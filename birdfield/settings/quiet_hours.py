"""Quiet hours: the time of day, by the clock or by the sun, in which no visits are recorded."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time

from birdfield.errors import LocationMissingError, UsageError
from birdfield.settings.place import Location

HORIZON_DEG = -0.833  # height of the sun's centre at sunrise: refraction and half its diameter
NIGHT = "night"


@dataclass(frozen=True)
class QuietHours:
    """A time of day: between two local times, or while the sun is down.

    Attributes:
        start: Local time at which it begins; None for sunset.
        end: Local time at which it ends; None for sunrise.
        latitude: Degrees north, for the sun.
        longitude: Degrees east, for the sun.
    """

    start: time | None = None
    end: time | None = None
    latitude: float = 0.0
    longitude: float = 0.0

    def contains(self, now: datetime) -> bool:
        """Return whether an aware time lies in the quiet hours."""
        if self.start is None or self.end is None:
            return sun_height_deg(now, self.latitude, self.longitude) < HORIZON_DEG
        local = now.astimezone().time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def parse_quiet(text: str, location: Location | None, what: str = "quiet.hours") -> QuietHours:
    """Read "HH:MM-HH:MM" or "night".

    Args:
        text: The hours.
        location: The location of the station, which "night" needs; None if it is not set.
        what: The name of the value, for the message of an error.

    Raises:
        UsageError: If the text has another form.
        LocationMissingError: If the text is "night" and there is no location.
    """
    if text == NIGHT:
        if location is None:
            raise LocationMissingError(
                f"{what} is {NIGHT!r}, which follows the sun, and the location is not set"
            )
        return QuietHours(latitude=location.latitude, longitude=location.longitude)
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise UsageError(
            f"{what} is {text!r}; expected HH:MM-HH:MM, such as 22:00-04:30, or {NIGHT}"
        )
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(time(start_hour, start_minute), time(end_hour, end_minute))


def sun_height_deg(now: datetime, latitude: float, longitude: float) -> float:
    """Return the height of the sun above the horizon, to about 0.1 degrees.

    Source: the low-precision formulas of the Astronomical Almanac, page C5: mean longitude and
    anomaly, ecliptic longitude, right ascension and declination, sidereal time.

    Args:
        now: An aware time.
        latitude: Degrees north, -90..90.
        longitude: Degrees east, -180..180.
    """
    days = (now - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86_400
    mean = 280.460 + 0.9856474 * days
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians(280.46062 + 360.9856474 * days + longitude)
    north, hour = math.radians(latitude), sidereal - ascension
    return math.degrees(
        math.asin(
            math.sin(north) * math.sin(declination)
            + math.cos(north) * math.cos(declination) * math.cos(hour)
        )
    )
