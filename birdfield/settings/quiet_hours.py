"""Quiet hours, by the clock or by the sun: what comes in them is no visit."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time

from birdfield.errors import UsageError

HORIZON_DEG = -0.833  # of the sun's centre at sunrise: refraction and half its width
NIGHT = "night"


@dataclass(frozen=True)
class Quiet:
    """When it is quiet: between two times of day, or while the sun is down.

    Attributes:
        start: Local time at which it begins; None for sunset.
        end: Local time at which it ends; None for sunrise.
        latitude: Degrees north, for the sun.
        longitude: Degrees east.
    """

    start: time | None = None
    end: time | None = None
    latitude: float = 0.0
    longitude: float = 0.0

    def at(self, now: datetime) -> bool:
        """Tell whether it is quiet at an aware time."""
        if self.start is None or self.end is None:
            return sun_height_deg(now, self.latitude, self.longitude) < HORIZON_DEG
        local = now.astimezone().time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def parse_quiet(text: str, location: tuple[float, float] | None) -> Quiet:
    """Read "HH:MM-HH:MM", or "night", which needs degrees north and east.

    Raises:
        UsageError: When it is anything else, or the sun's place is not given.
    """
    if text == NIGHT:
        if location is None:
            raise UsageError("--quiet night goes by the sun; add --location LATITUDE,LONGITUDE")
        return Quiet(latitude=location[0], longitude=location[1])
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise UsageError(
            f"--quiet is {text!r}; expected HH:MM-HH:MM, such as 22:00-04:30, or {NIGHT}"
        )
    first, second, third, fourth = map(int, found.groups())
    return Quiet(time(first, second), time(third, fourth))


def sun_height_deg(now: datetime, latitude: float, longitude: float) -> float:
    """Return how high the sun stands, to about 0.1 degrees.

    The low-precision formulas of the Astronomical Almanac (page C5): mean longitude and anomaly,
    ecliptic longitude, right ascension and declination, sidereal time.

    Args:
        now: Aware.
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
