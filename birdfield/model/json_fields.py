"""JSON fields: reads typed values from a parsed JSON object and names the field that is wrong."""

from collections.abc import Mapping

MAX_SHOWN = 60  # characters of a wrong value in a message


class JsonFields:
    """The fields of a JSON object. Every method raises ValueError when a field is wrong."""

    def __init__(self, value: object, name: str = "") -> None:
        """Wrap a parsed value.

        Args:
            value: What `json.loads` returned, or a part of it.
            name: The value's own name in messages; empty for a whole document.
        """
        self._name = name
        if not isinstance(value, dict):
            raise ValueError(f"{name or 'it'} is {_shown(value)}, expected an object")
        self.document: Mapping[str, object] = value

    def __contains__(self, key: str) -> bool:
        """Return whether a field is present and not null."""
        return self.document.get(key) is not None

    def fields(self, key: str) -> "JsonFields":
        """Return an object."""
        return JsonFields(self._value(key), self._path(key))

    def objects(self, key: str) -> list["JsonFields"]:
        """Return a list of objects."""
        return [
            JsonFields(value, f"{self._path(key)}[{row}]")
            for row, value in enumerate(self._list(key))
        ]

    def text(self, key: str) -> str:
        """Return a string."""
        value = self._value(key)
        if not isinstance(value, str):
            raise self._error(key, "text")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a string, or None where the field is absent or null."""
        return self.text(key) if key in self else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self._list(key)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            raise self._error(key, "a list of text")
        return texts

    def text_by_name(self, key: str) -> dict[str, str]:
        """Return an object whose values are strings."""
        inner = self.fields(key)
        return {name: inner.text(name) for name in inner.document}

    def interval(self, key: str) -> tuple[float, float]:
        """Return a list of two numbers."""
        values = self._list(key)
        if len(values) != 2:
            raise self._error(key, "two numbers")
        low, high = (self._to_number(key, value) for value in values)
        return low, high

    def integer(self, key: str) -> int:
        """Return a whole number."""
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._error(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        """Return a number; it may be infinite or not a number."""
        return self._to_number(key, self._value(key))

    def _to_number(self, key: str, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._error(key, "a number")
        try:
            return float(value)
        except OverflowError as error:
            raise self._error(key, "a number of at most 308 digits") from error

    def _list(self, key: str) -> list[object]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self._error(key, "a list")
        return value

    def _value(self, key: str) -> object:
        if key not in self.document:
            raise ValueError(f"{self._path(key)} is missing")
        return self.document[key]

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _error(self, key: str, expected: str) -> ValueError:
        found = _shown(self.document[key])
        return ValueError(f"{self._path(key)} is {found}, expected {expected}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
