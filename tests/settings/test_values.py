"""Value readers: numbers as people of several countries write them."""

import pytest

from birdfield.settings.values import count_reader, number_reader, parse_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.5", 0.5), ("0,5", 0.5), (",5", 0.5), (" 30,25 ", 30.25), ("0,500", 0.5), ("-1,5", -1.5)],
)
def test_a_number_may_have_a_decimal_comma(text: str, number: float) -> None:
    assert parse_number(text) == number == number_reader(-2, 40)(text)


@pytest.mark.parametrize("text", ["1,500", "12,000", "1.500,0", "1,2,3", "x", "", "nan", "1_0"])
def test_a_text_of_several_meanings_is_no_number(text: str) -> None:
    """1,500 is 1.5 in Germany, and 1500 in Britain."""
    for read in (parse_number, number_reader(0, 1e9), count_reader(0, 10**9)):
        with pytest.raises(ValueError):
            read(text)


def test_a_count_is_whole() -> None:
    assert count_reader(0, 20)("12") == 12
    with pytest.raises(ValueError):
        count_reader(0, 20)("1,5")
