"""The place: locations as a user writes them."""

import pytest

from birdfield.errors import UsageError
from birdfield.settings.place import Location, parse_location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("52.5,13.4", Location(52.5, 13.4, "Garden")),
        ("-33.9,151.2,Sydney, home", Location(-33.9, 151.2, "Sydney, home")),
    ],
)
def test_parse_location(text: str, location: Location) -> None:
    assert parse_location(text) == location


@pytest.mark.parametrize("text", ["", "52.5", "north,east", "91,0", "0,181", "nan,0", "inf,inf"])
def test_other_locations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected degrees north and east"):
        parse_location(text)
