"""Place: where a station stands, as a person types it."""

from dataclasses import dataclass

from birdfield.errors import UsageError


@dataclass(frozen=True)
class Location:
    """Where a station stands: degrees north and east, and what its owner calls the place."""

    latitude: float
    longitude: float
    name: str


def parse_location(text: str) -> Location:
    """Read "LATITUDE,LONGITUDE" or "LATITUDE,LONGITUDE,NAME", in degrees.

    Raises:
        UsageError: When it is anything else.
    """
    parts = text.split(",", 2)
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        latitude = longitude = float("nan")
    # Written so that what is no number is refused too.
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise UsageError(
            f"--location is {text!r}; expected degrees north and east, and a name if "
            "you like, such as 52.5,13.4,Garden"
        )
    return Location(latitude, longitude, parts[2].strip() if len(parts) > 2 else "Garden")
