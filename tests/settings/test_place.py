"""The place: locations as a user writes them."""

import pytest

from birdfield.errors import UsageError
from birdfield.settings.place import Location, parse_location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("52.5,13.4", Location(52.5, 13.4, "Garden")),
        ("-33.9,151.2,Sydney, home", Location(-33.9, 151.2, "Sydney, home")),
        ("52,13", Location(52, 13, "Garden")),
        ("52,13,12 Oak Lane, Town", Location(52, 13, "12 Oak Lane, Town")),
        ("52.5,13.4,12345, Town", Location(52.5, 13.4, "12345, Town")),
        # A decimal comma, where something else separates the numbers.
        ("52,52;13,40", Location(52.52, 13.4, "Garden")),
        ("52,52 13,40", Location(52.52, 13.4, "Garden")),
        ("52,52, 13,40", Location(52.52, 13.4, "Garden")),
        (" 52,5 ; -13,4 ; Garten ", Location(52.5, -13.4, "Garten")),
        ("52,52 13,40 Garten am See", Location(52.52, 13.4, "Garten am See")),
        ("\u221233.9 151.2", Location(-33.9, 151.2, "Garden")),  # a minus sign, as in a text
    ],
)
def test_parse_location(text: str, location: Location) -> None:
    assert parse_location(text) == location


@pytest.mark.parametrize(
    "text",
    [
        "52,52,13,40",  # two numbers with a comma, or two and a name of digits
        "52,52,13,40,Garten",
        "52,52,13",
        "52.52,13,40",
        "52,52,13.40",
        "52,520,13,400",
        "5_2,1_3",
        "1e1,2",
    ],
)
def test_a_location_with_several_meanings_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="such as 52.5,13.4,Garden or 52,5;13,4;Garden"):
        parse_location(text)


@pytest.mark.parametrize(
    "location",
    [Location(52.5, 13.4, "Garden"), Location(52, 13, "12, Oak Lane"), Location(-1e-7, 0, "x, y")],
)
def test_the_text_of_a_location_is_read_as_the_location(location: Location) -> None:
    assert parse_location(location.text()) == location


@pytest.mark.parametrize("text", ["", "52.5", "north,east", "91,0", "0,181", "nan,0", "inf,inf"])
def test_other_locations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected degrees north and east"):
        parse_location(text)
