"""Place: the coordinates and the name of a station, as a user writes them."""

from dataclasses import dataclass

from birdfield.errors import UsageError


@dataclass(frozen=True)
class Location:
    """The place of a station.

    Attributes:
        latitude: Degrees north, -90..90.
        longitude: Degrees east, -180..180.
        name: The name of the place.
    """

    latitude: float
    longitude: float
    name: str

    def text(self) -> str:
        """Return the text that `parse_location` reads as this location."""
        return f"{self.latitude:.12g},{self.longitude:.12g},{self.name}"


def parse_location(text: str, what: str = "location") -> Location:
    """Read "LATITUDE,LONGITUDE" or "LATITUDE,LONGITUDE,NAME", in degrees.

    Args:
        text: The location.
        what: The name of the value, for the message of an error.

    Raises:
        UsageError: If the text has another form, or a coordinate is out of range.
    """
    parts = text.split(",", 2)
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        latitude = longitude = float("nan")
    # `not` around the comparisons also refuses NaN.
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise UsageError(
            f"{what} is {text!r}; expected degrees north and east, and optionally a name, "
            "such as 52.5,13.4,Garden"
        )
    return Location(latitude, longitude, parts[2].strip() if len(parts) > 2 else "Garden")
