import json
import re
from collections.abc import Callable

import pytest

from birdfield.model.json_fields import JsonFields

DOCUMENT = {
    "name": "birdnet",
    "none": None,
    "count": 3,
    "share": 0.5,
    "yes": True,
    "interval": [0, 0.5],
    "list": ["a", "b"],
    "mixed": ["a", 1],
    "inner": {"rate_hz": 48_000, "de": "Amsel"},
    "hashes": {"a": "0", "b": "1"},
    "objects": [{"name": "first"}, {"name": "second"}],
    "huge": 10**400,
}
FIELDS = JsonFields(DOCUMENT)


def test_fields_are_read_by_type() -> None:
    assert (FIELDS.text("name"), FIELDS.integer("count")) == ("birdnet", 3)
    assert (FIELDS.number("share"), FIELDS.number("count")) == (0.5, 3.0)
    assert FIELDS.interval("interval") == (0, 0.5) and FIELDS.texts("list") == ("a", "b")
    assert FIELDS.fields("inner").integer("rate_hz") == 48_000
    assert FIELDS.text_by_name("hashes") == {"a": "0", "b": "1"}
    assert [each.text("name") for each in FIELDS.objects("objects")] == ["first", "second"]


def test_an_optional_field_may_be_absent_or_null() -> None:
    assert FIELDS.optional_text("name") == "birdnet"
    assert FIELDS.optional_text("none") is None and FIELDS.optional_text("absent") is None
    assert "name" in FIELDS and "none" not in FIELDS and "absent" not in FIELDS


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: FIELDS.text("absent"), "absent is missing"),
        (lambda: FIELDS.text("count"), "count is 3, expected text"),
        (lambda: FIELDS.optional_text("count"), "count is 3, expected text"),
        (lambda: FIELDS.integer("share"), "share is 0.5, expected a whole number"),
        (lambda: FIELDS.integer("yes"), "yes is True, expected a whole number"),
        (lambda: FIELDS.number("name"), "name is 'birdnet', expected a number"),
        (lambda: FIELDS.number("yes"), "yes is True, expected a number"),
        (lambda: FIELDS.number("huge"), "expected a number of at most 308 digits"),
        (lambda: FIELDS.interval("list"), "list is ['a', 'b'], expected a number"),
        (lambda: FIELDS.interval("objects"), "expected a number"),
        (lambda: FIELDS.interval("name"), "name is 'birdnet', expected a list"),
        (lambda: FIELDS.texts("mixed"), "mixed is ['a', 1], expected a list of text"),
        (lambda: FIELDS.fields("name"), "name is 'birdnet', expected an object"),
        (lambda: FIELDS.text_by_name("inner"), "inner.rate_hz is 48000, expected text"),
        (lambda: FIELDS.fields("inner").text("rate_hz"), "inner.rate_hz is 48000, expected"),
        (lambda: FIELDS.objects("list"), "list[0] is 'a', expected an object"),
        (lambda: FIELDS.objects("objects")[1].text("no"), "objects[1].no is missing"),
        (lambda: JsonFields([1]), "it is [1], expected an object"),
    ],
)
def test_an_error_names_the_field_its_value_and_the_expected_type(
    read: Callable[[], object], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read()


def test_a_long_value_is_cut_in_an_error() -> None:
    """60 characters of the value and three dots."""
    long = JsonFields(json.loads(json.dumps({"dim": "x" * 1000})))
    with pytest.raises(ValueError, match="^dim is 'x{59}\\.\\.\\., expected a number$"):
        long.number("dim")
