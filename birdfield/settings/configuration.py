"""Configuration: finds, reads and checks the configuration file of a station."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from birdfield.errors import BirdfieldError, ConfigError, ConfigFormError, NoConfigError
from birdfield.paths import xdg_folder
from birdfield.redaction import mask_url
from birdfield.settings.schema import DEFAULTS, KEYS, Settings, value_of, with_values
from birdfield.settings.toml_lines import key_lines

FILE = "birdfield.toml"
TEMPLATE = Path(__file__).with_name(FILE)
MAX_BYTES = 100_000
SOURCES = ("watch.camera", "watch.microphone")  # which may be files
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
DECIMAL_EXAMPLE = "with a decimal point, such as 0.5"


@dataclass(frozen=True)
class StationConfig:
    """A checked configuration file.

    Attributes:
        path: The file; None if there is none.
        settings: The values of the file over the defaults.
        keys: The keys that the file sets, such as "watch.camera".
        lines: The line of each table and key, from 1.
    """

    path: Path | None = None
    settings: Settings = DEFAULTS
    keys: frozenset[str] = frozenset()
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def where(self, *path: str) -> str:
        """Return the file, the line and the name of a key, for a message."""
        line = next(
            (self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines),
            None,
        )
        name = "".join(each if each.isprintable() else "?" for each in ".".join(path))
        return f"{self.path}, line {line}: {name[:100]}"


def config_home() -> Path:
    """Return the folder of birdfield below XDG_CONFIG_HOME."""
    return xdg_folder("XDG_CONFIG_HOME", ".config")


def find_config(given: Path | None) -> Path | None:
    """Return the given file, else the one in `config_home` if it exists, else None."""
    default = config_home() / FILE
    return given or (default if default.exists() else None)


def load_config(path: Path | None) -> StationConfig:
    """Read and check a configuration file.

    Args:
        path: The file; None for the defaults alone.

    Raises:
        ConfigError: If the file cannot be read, is not TOML, or has an unknown key or a value
            that its key does not accept.
    """
    if path is None:
        return StationConfig()
    text = _read(path)
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFormError(f"{path}: not TOML ({error}){_decimal_hint(text)}") from error
    config = StationConfig(path, lines=key_lines(text))
    values = _checked(config, tables)
    return replace(config, settings=with_values(DEFAULTS, values), keys=frozenset(values))


def _decimal_hint(text: str) -> str:
    """Return what to write where a line of a file has a number with a decimal comma."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.fullmatch(rf"\s*[^#=]+=\s*({DECIMAL_COMMA.pattern})\s*(?:#.*)?", line)
        if found:
            return f"; line {number} has the number {found[1]}: {DECIMAL_EXAMPLE}"
    return ""


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise NoConfigError(f"{path}: no such file")
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


def _checked(config: StationConfig, tables: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that a file's tables set, by key."""
    values: dict[str, object] = {}
    for table, entries in tables.items():
        if not any(key.startswith(f"{table}.") for key in KEYS):
            raise _unknown(config.where(table), "table", table)
        if not isinstance(entries, dict):
            raise ConfigError(f"{config.where(table)} is a value; expected the table [{table}]")
        for name, value in entries.items():
            key = f"{table}.{name}"
            if key not in KEYS:
                raise _unknown(config.where(table, name), "key", key)
            values[key] = _value(config, key, value)
    return values


def _unknown(where: str, what: str, name: str) -> ConfigError:
    """Return the error of an unknown table or key."""
    names = [*KEYS, *dict.fromkeys(key.partition(".")[0] for key in KEYS)]
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return ConfigError(f"{where} is an unknown {what}; did you mean {close[0]}?")
    return ConfigFormError(f"{where} is an unknown {what}")


def _value(config: StationConfig, name: str, value: object) -> object:
    key = KEYS[name]
    path, culprit = tuple(name.split(".")), value
    try:
        if isinstance(value, dict) and isinstance(value_of(DEFAULTS, name), Mapping):
            for species, inner in value.items():  # one by one, for the line of a wrong one
                path, culprit = (*name.split("."), species), inner
                key.read({species: inner})
        setting = key.read(value)
    except (ValueError, OverflowError, RuntimeError, BirdfieldError) as error:
        got = repr(mask_url(culprit)) if isinstance(culprit, str) else mask_url(repr(culprit))
        hint = f", {DECIMAL_EXAMPLE}" if DECIMAL_COMMA.fullmatch(str(culprit)) else ""
        raise ConfigError(
            f"{config.where(*path)} is {got[:100]}; expected {key.expected}{hint}"
        ) from error
    if config.path is None:
        return setting
    folder = config.path.absolute().parent
    if isinstance(setting, Path):
        return folder / setting
    if name in SOURCES and "://" not in str(setting) and (folder / str(setting)).is_file():
        return str(folder / str(setting))
    return setting
