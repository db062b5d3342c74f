"""Schema: the settings of a station, and the key of the configuration file for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

from birdfield.capture.latency import MAX_LATENCY_S
from birdfield.settings.bounds import (
    DEFAULT_GAP_S,
    DEFAULT_KEEP_BEST,
    DEFAULT_KEEP_FREE_GB,
    MAX_COUNT,
    MAX_DAYS,
    MAX_GAP_S,
    MAX_GB,
)
from birdfield.settings.place import Location
from birdfield.settings.values import (
    Reader,
    box_text,
    box_texts,
    by_species,
    count_reader,
    number_reader,
    read_bool,
    read_box,
    read_boxes,
    read_hours,
    read_location,
    read_moment,
    read_path,
    read_text,
    read_texts,
)

if TYPE_CHECKING:
    from birdfield.signals.boxes import Box

Value = TypeVar("Value")
Default = TypeVar("Default")


@dataclass(frozen=True)
class Key:
    """A key of the configuration file.

    Attributes:
        expected: The values that the key accepts, in words.
        read: Returns the setting for a value of the file; raises ValueError or BirdfieldError.
        write: Returns a value that `read` accepts for a setting.
        live: Whether a running watch follows a change of the key without a restart.
    """

    expected: str
    read: Reader[object]
    write: Callable[[object], object]
    live: bool


def _key(
    expected: str,
    read: Reader[Value],
    default: Default,
    write: Callable[[Value], object] = lambda value: value,
    live: bool = False,
) -> Value | Default:
    """Declare a field of a settings class together with its key."""
    key = Key(expected, read, cast(Callable[[object], object], write), live)
    return cast(Value | Default, field(default_factory=lambda: default, metadata={"key": key}))


_BOX = 'X,Y,W,H in pixels, such as "100,50,640,480"'
_LATENCY = (f"a number of seconds from 0 to {MAX_LATENCY_S:g}", number_reader(0, MAX_LATENCY_S))
_GB = (f"a number of GB from 0 to {MAX_GB}", number_reader(0, MAX_GB))
_SHARE = number_reader(0, 1)
_NONE_BY_SPECIES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class WatchSettings:
    """The model and the sources of a watch.

    Attributes:
        model: The folder of a bundle; None for the starter model.
        camera: A device's number, a path, a URL, "picamera2" or "none".
        microphone: A device's name or number, a file, a URL, "default" or "none".
        camera_latency_s: The delay of the camera's frames, in seconds.
        microphone_latency_s: The delay of the microphone's sound, in seconds.
        crop: The part of each frame that is analysed; None for the whole frame.
        blank: Parts of each frame that are made black.
    """

    model: Path | None = _key("the folder of a bundle, as text", read_path, None)
    camera: str = _key("a device's number, a path, a URL or none, as text", read_text, "0")
    microphone: str = _key(
        "a device's name or number, a file, default or none, as text", read_text, "default"
    )
    camera_latency_s: float = _key(*_LATENCY, 0)
    microphone_latency_s: float = _key(*_LATENCY, 0)
    crop: "Box | None" = _key(_BOX, read_box, None, box_text)
    blank: "tuple[Box, ...] | None" = _key(f"a list of {_BOX}", read_boxes, None, box_texts)


@dataclass(frozen=True)
class JournalSettings:
    """The journal and how much evidence it keeps.

    Attributes:
        folder: The folder of the journal; None for no journal.
        gap_s: The absence that ends a visit, in seconds.
        keep_voices: Whether sound is kept although somebody speaks.
        keep_best: The number of visits of each species whose evidence is never deleted.
        keep_days: The age, in days, at which evidence is deleted; None for no limit.
        keep_gb: The size, in GB, above which the oldest evidence is deleted; None for no limit.
        keep_free_gb: The space, in GB, that stays free on the disk.
    """

    folder: Path | None = _key("a folder, as text", read_path, None)
    gap_s: float = _key(
        f"a number of seconds from 1 to {MAX_GAP_S}", number_reader(1, MAX_GAP_S), DEFAULT_GAP_S
    )
    keep_voices: bool = _key("true or false", read_bool, False)
    keep_best: int = _key(
        f"a whole number from 0 to {MAX_COUNT}", count_reader(0, MAX_COUNT), DEFAULT_KEEP_BEST
    )
    keep_days: float | None = _key(
        f"a number of days from 0 to {MAX_DAYS}", number_reader(0, MAX_DAYS), None
    )
    keep_gb: float | None = _key(*_GB, None)
    keep_free_gb: float = _key(*_GB, DEFAULT_KEEP_FREE_GB)


@dataclass(frozen=True)
class PlaceSettings:
    """The place of a station.

    Attributes:
        location: Its coordinates and name; None if they are not set.
    """

    location: Location | None = _key(
        'degrees north and east, such as "52.5,13.4" or "52,5;13,4"',
        read_location,
        None,
        Location.text,
    )


@dataclass(frozen=True)
class NamesSettings:
    """The names by which species are shown.

    Attributes:
        file: A names CSV; None for the names in the model.
        lang: The code of a language, such as "de"; None for labels.
    """

    file: Path | None = _key("a names CSV, as text", read_path, None)
    lang: str | None = _key('a language\'s code in that file, such as "de"', read_text, None)


@dataclass(frozen=True)
class QuietSettings:
    """The time in which no visits are recorded.

    Attributes:
        hours: "HH:MM-HH:MM" in local time, or "night"; None for never.
    """

    hours: str | None = _key(
        'HH:MM-HH:MM, such as "22:00-04:30", or "night"', read_hours, None, live=True
    )


@dataclass(frozen=True)
class SpeciesSettings:
    """The species that are answered; each by label, scientific name or common name.

    Attributes:
        include: The only species that are answered; empty for all.
        exclude: Species that are not answered.
        threshold: The least score of an answer, 0..1.
        checklist: A CSV of the species that are expected, by week; None for no checklist.
        unexpected: The factor, 0.0001..1, for a species in a week in which it is not expected.
        thresholds: The least score of an answer, 0..1, by species.
        snooze: The aware time before which a species is not answered, by species.
    """

    include: tuple[str, ...] = _key("a list of species", read_texts, (), live=True)
    exclude: tuple[str, ...] = _key("a list of species", read_texts, (), live=True)
    threshold: float = _key("a number from 0 to 1", _SHARE, 0.0, live=True)
    checklist: Path | None = _key("a CSV file, as text", read_path, None, live=True)
    unexpected: float = _key("a number from 0.0001 to 1", number_reader(1e-4, 1), 0.1, live=True)
    thresholds: Mapping[str, float] = _key(
        "species, each with a number from 0 to 1",
        by_species(_SHARE),
        cast(Mapping[str, float], _NONE_BY_SPECIES),
        live=True,
    )
    snooze: Mapping[str, datetime] = _key(
        "species, each with a day such as 2026-06-01",
        by_species(read_moment),
        cast(Mapping[str, datetime], _NONE_BY_SPECIES),
        live=True,
    )


@dataclass(frozen=True)
class Settings:
    """The settings of a station, one attribute for each table of the configuration file."""

    watch: WatchSettings = WatchSettings()
    journal: JournalSettings = JournalSettings()
    place: PlaceSettings = PlaceSettings()
    names: NamesSettings = NamesSettings()
    quiet: QuietSettings = QuietSettings()
    species: SpeciesSettings = SpeciesSettings()


DEFAULTS = Settings()
KEYS: Mapping[str, Key] = {
    f"{table.name}.{each.name}": each.metadata["key"]
    for table in fields(Settings)
    for each in fields(getattr(DEFAULTS, table.name))
}


def value_of(settings: Settings, key: str) -> object:
    """Return the setting of a key such as "watch.camera"."""
    return attrgetter(key)(settings)


def with_values(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Return settings with some replaced, by keys such as "watch.camera"."""
    tables: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = value
    return replace(
        settings,
        **{table: replace(getattr(settings, table), **inner) for table, inner in tables.items()},
    )
