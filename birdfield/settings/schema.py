"""The station's configuration file: its keys, each checked at the door."""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from birdfield.capture.latency import MAX_LATENCY_S
from birdfield.errors import BirdfieldError, ConfigError
from birdfield.paths import xdg_folder
from birdfield.redaction import mask_url
from birdfield.settings.bounds import MAX_COUNT, MAX_DAYS, MAX_GAP_S, MAX_GB
from birdfield.settings.toml_lines import key_lines

FILE = "birdfield.toml"
TEMPLATE = Path(__file__).with_name(FILE)
MAX_BYTES = 100_000

Reader = Callable[[Any], Any]  # raises ValueError or BirdfieldError when it is not what is expected


@dataclass(frozen=True)
class Key:
    """A key that a file may have.

    Attributes:
        expected: What its value is, in words.
        read: Turns the file's value into that, or raises ValueError or BirdfieldError.
        default: Where the file has none.
        live: Whether a change is taken without a restart.
    """

    expected: str
    read: Reader
    default: Any = None
    live: bool = False


def _refuse(right: bool) -> None:
    if not right:
        raise ValueError


def _text(value: Any) -> str:
    _refuse(isinstance(value, str) and bool(value.strip()) and value.isprintable())
    return str(value)


def _flag(value: Any) -> bool:
    _refuse(isinstance(value, bool))
    return bool(value)


def _number(least: float, most: float, whole: bool = False) -> Reader:
    def read(value: Any) -> float:
        right = isinstance(value, int) or (isinstance(value, float) and not whole)
        _refuse(right and not isinstance(value, bool) and least <= value <= most)
        return value  # type: ignore[no-any-return]

    return read


def _labels(value: Any) -> tuple[str, ...]:
    _refuse(isinstance(value, list))
    return tuple(map(_text, value))


def _by_label(read: Reader) -> Reader:
    def read_all(value: Any) -> dict[str, Any]:
        _refuse(isinstance(value, dict))
        return {_text(label): read(inner) for label, inner in value.items()}

    return read_all


def _day(value: Any) -> datetime:
    _refuse(isinstance(value, date))
    whole = value if isinstance(value, datetime) else datetime.combine(value, time())
    return whole.astimezone()


def _crop(value: Any) -> str:
    from birdfield.capture.camera import parse_box

    parse_box(_text(value))
    return str(value)


def _blank(value: Any) -> list[str]:
    return [_crop(zone) for zone in _labels(value)]


def _hours(value: Any) -> str:
    from birdfield.settings.quiet_hours import parse_quiet

    parse_quiet(_text(value), (0.0, 0.0))
    return str(value)


def _location(value: Any) -> str:
    from birdfield.settings.place import parse_location

    parse_location(_text(value))
    return str(value)


_ZONE = 'X,Y,W,H in pixels, such as "100,50,640,480"'
_SHARE = _number(0, 1)
KEYS: Mapping[str, Key] = {
    "watch.model": Key("the folder of a bundle, as text", _text),
    "watch.camera": Key("a device's number, a path, a URL or none, as text", _text, "0"),
    "watch.microphone": Key(
        "a device's name or number, a file, default or none, as text", _text, "default"
    ),
    "watch.camera_latency_s": Key("a number of seconds from 0 to 10", _number(0, MAX_LATENCY_S), 0),
    "watch.microphone_latency_s": Key(
        "a number of seconds from 0 to 10", _number(0, MAX_LATENCY_S), 0
    ),
    "watch.crop": Key(_ZONE, _crop),
    "watch.blank": Key(f"a list of {_ZONE}", _blank),
    "journal.folder": Key("a folder, as text", _text),
    "journal.gap_s": Key("a number of seconds from 1 to 86400", _number(1, MAX_GAP_S)),
    "journal.keep_voices": Key("true or false", _flag, False),
    "journal.keep_best": Key("a whole number from 0 to 1000000", _number(0, MAX_COUNT, whole=True)),
    "journal.keep_days": Key("a number of days from 0 to 36500", _number(0, MAX_DAYS)),
    "journal.keep_gb": Key("a number of GB from 0 to 1000000", _number(0, MAX_GB)),
    "journal.keep_free_gb": Key("a number of GB from 0 to 1000000", _number(0, MAX_GB)),
    "place.location": Key('degrees north and east, such as "52.5,13.4"', _location),
    "names.file": Key("a names CSV, as text", _text),
    "names.lang": Key('a language\'s code in that file, such as "de"', _text),
    "quiet.hours": Key('HH:MM-HH:MM, such as "22:00-04:30", or "night"', _hours, live=True),
    "species.include": Key("a list of species", _labels, (), live=True),
    "species.exclude": Key("a list of species", _labels, (), live=True),
    "species.threshold": Key("a number from 0 to 1", _SHARE, 0.0, live=True),
    "species.checklist": Key("a CSV file, as text", _text, live=True),
    "species.unexpected": Key("a number from 0.0001 to 1", _number(1e-4, 1), 0.1, live=True),
    "species.thresholds": Key(
        "species, each with a number from 0 to 1", _by_label(_SHARE), {}, live=True
    ),
    "species.snooze": Key(
        "species, each with a day such as 2026-06-01", _by_label(_day), {}, live=True
    ),
}
PATHS = ("watch.model", "journal.folder", "names.file", "species.checklist")


@dataclass(frozen=True)
class StationConfig:
    """A configuration that was checked.

    Attributes:
        path: The file; None where there is none.
        values: What it says, by key; keys that it does not have are absent.
        lines: Where it says so.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """Return a key's value, else its default."""
        return self.values.get(key, KEYS[key].default)

    def where(self, *path: str) -> str:
        """Name a key with its file and line, for a message."""
        line = next(
            (self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines),
            None,
        )
        name = "".join(each if each.isprintable() else "?" for each in ".".join(path))
        return f"{self.path}, line {line}: {name[:100]}"


def config_home() -> Path:
    """Return birdfield's folder under XDG_CONFIG_HOME."""
    return xdg_folder("XDG_CONFIG_HOME", ".config")


def find_config(given: Path | None) -> Path | None:
    """Find the file: the given one, else that of XDG_CONFIG_HOME where it exists."""
    default = config_home() / FILE
    return given or (default if default.exists() else None)


def load_config(path: Path | None) -> StationConfig:
    """Read and check a file; None is a configuration that says nothing.

    Raises:
        ConfigError: When it cannot be read, is no TOML, or holds what it should not.
    """
    if path is None:
        return StationConfig()
    text = _read(path)
    try:
        entries = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: not TOML ({error}); birdfield config init shows how it looks"
        ) from error
    raw = StationConfig(path, lines=key_lines(text))
    return StationConfig(path, _check(raw, entries), raw.lines)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; birdfield config init writes one")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"{path}: {path.stat().st_size:,} bytes; expected at most {MAX_BYTES:,}"
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the station's user the "
            "right to read it"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def _check(raw: StationConfig, entries: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for table, inner in entries.items():
        if not any(key.startswith(f"{table}.") for key in KEYS):
            raise ConfigError(f"{raw.where(table)} is no table that there is{_near(table)}")
        if not isinstance(inner, dict):
            raise ConfigError(f"{raw.where(table)} is a value; expected the table [{table}]")
        for name, value in inner.items():
            key = f"{table}.{name}"
            if key not in KEYS:
                raise ConfigError(f"{raw.where(table, name)} is no key that there is{_near(key)}")
            values[key] = _value(raw, table, name, value)
    return values


def _near(name: str) -> str:
    names = [*KEYS, *dict.fromkeys(key.partition(".")[0] for key in KEYS)]
    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]}?" if close else "; birdfield config init shows all of them"


def _value(raw: StationConfig, table: str, name: str, value: Any) -> Any:
    key = KEYS[f"{table}.{name}"]
    path: tuple[str, ...] = (table, name)
    culprit = value
    try:
        if isinstance(value, dict) and isinstance(key.default, dict):
            for label, inner in value.items():
                path, culprit = (table, name, label), inner
                key.read({label: inner})
        read = key.read(value)
        if f"{table}.{name}" in PATHS:
            assert raw.path is not None  # it was read from there
            return raw.path.absolute().parent / Path(read).expanduser()
        return read
    except (ValueError, OverflowError, RuntimeError, BirdfieldError) as error:
        got = repr(mask_url(culprit)) if isinstance(culprit, str) else mask_url(repr(culprit))
        raise ConfigError(f"{raw.where(*path)} is {got[:100]}; expected {key.expected}") from error
