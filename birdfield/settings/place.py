"""Place: the coordinates and the name of a station, as a user writes them."""

import re
from dataclasses import dataclass

from birdfield.errors import UsageError

DEFAULT_NAME = "Garden"
NUMBER = re.compile(r"\s*[-+]?[\d.]+\s*")
POINT, COMMA = r"([-+]?\d{1,3}(?:\.\d*)?)", r"([-+]?\d{1,3}(?:[.,]\d+)?)"
FORMS = tuple(
    re.compile(rf"{number}{between}{number}(?:{between}(.*))?")
    for number, between in (
        (POINT, r"\s*,\s*"),
        (COMMA, r"\s*;\s*"),
        (COMMA, r",?\s+"),
    )
)


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
        return f"{_degrees(self.latitude)},{_degrees(self.longitude)},{self.name}"


def _degrees(number: float) -> str:
    """Return degrees with a point, which shows that no comma of the text is a decimal one."""
    text = f"{number:.9f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def parse_location(text: str, what: str = "location") -> Location:
    """Read "LATITUDE,LONGITUDE" or "LATITUDE,LONGITUDE,NAME", in degrees.

    A decimal comma is read where something else separates the numbers: "52,52;13,40", "52,52 13,40"
    or "52,52, 13,40". "52,52,13,40" may be two numbers or four, and is refused.

    Args:
        text: The location.
        what: The name of the value, for the message of an error.

    Raises:
        UsageError: If the text has another form, or several meanings, or a coordinate is out of
            range.
    """
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    meanings = {found for form in FORMS if (found := _location(form, plain))}
    if len(meanings) != 1:
        raise UsageError(
            f"{what} is {text!r}; expected degrees north and east, and optionally a name, "
            "such as 52.5,13.4,Garden or 52,5;13,4;Garden"
        )
    return meanings.pop()


def _location(form: re.Pattern[str], text: str) -> Location | None:
    """Return the location that a text is in one form; None where it does not have the form."""
    found = form.fullmatch(text)
    if found is None:
        return None
    latitude, longitude = (float(found[place].replace(",", ".")) for place in (1, 2))
    name = (found[3] or "").strip()
    # Digits in place of a name are decimals of a coordinate.
    has_point = "." in found[1] and "." in found[2]
    if name and NUMBER.fullmatch(name if has_point else name.partition(",")[0]):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return Location(latitude, longitude, name or DEFAULT_NAME)
