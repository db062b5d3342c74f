"""Garden scripts: random visits, drawn from files by a seed, for `tools/garden.py` to render.

Visits begin, overlap and end; some birds are small, and some sing in noise, beside a voice or in
the dark. Between visits, objects pass by and background sounds play. A garden has one view and one
steady noise; after VIEW_VISITS visits, the next garden begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Sample, scan_dataset, scan_flat

VIEW_VISITS = 10
KINDS = ("seen", "heard", "both", "heard first")  # equally likely
SIZES = (0.6, 0.3, 0.1)  # a bird's longer side, as a share of the picture's height
SNRS_DB = (20.0, 10.0, 0.0)  # of a song above the garden's steady noise
STAY_S = (12.0, 40.0)  # duration of a visit
ALONE_S = (45.0, 80.0)  # between visits: more than `birdfield.watch.visits.GAP_S`
OVERLAPS = 1 / 6  # of the visits: another species is heard or seen at the same time
SHIFT_S = 5.0  # it arrives and leaves up to this much earlier or later
VOICES = 1 / 4  # of the visits: a person speaks during them
DARK = 1 / 4  # of the visits that are only heard: they are at night
DUSK = GUSTY = 1 / 4  # of the gardens
PASSERS, NOISES = 1 / 2, 3 / 4  # of the intervals between visits
PASSING_S = 6.0
LOUD_DB = (0.0, 15.0)  # of background sounds, above the steady noise
SPOKEN = ("Human_speech", "Children_playing_voices", "Crowd_voices")
STEADY = (
    "Wind",
    "Rain",
    "Traffic",
    "Sea_waves",
    "Airplane",
    "Air_conditioner_hum",
    "Engine_idling",
    "Water_stream",
)
POSES = 2  # photographs of a visitor, where it has as many


@dataclass(frozen=True)
class Files:
    """The files that a script draws from.

    Attributes:
        photographs: By species.
        recordings: By species.
        views: Pictures without a bird.
        noises: Sounds without a bird, by kind.
    """

    photographs: dict[str, list[Path]]
    recordings: dict[str, list[Path]]
    views: list[Path]
    noises: dict[str, list[Path]]


@dataclass(frozen=True)
class Stay:
    """The stay of one bird.

    Attributes:
        species: Label.
        kind: One of KINDS, "sings beside" or "comes beside".
        start_s: When the bird arrives.
        end_s: When it has left.
        seen_from_s: When it is first seen; None when it is only heard.
        photographs: Its pictures; empty when it is only heard.
        recording: Its song, heard throughout; None when it is only seen.
        size: One of SIZES.
        snr_db: One of SNRS_DB.
        dark: Whether the stay is at night.
    """

    species: str
    kind: str
    start_s: float
    end_s: float
    seen_from_s: float | None
    photographs: tuple[Path, ...]
    recording: Path | None
    size: float
    snr_db: float
    dark: bool


@dataclass(frozen=True)
class Event:
    """An event without a bird: a passing object, or a sound.

    Attributes:
        path: File.
        start_s: When it begins.
        size: Of an object, on the scale of SIZES.
        level_db: Of a sound, above the steady noise.
    """

    path: Path
    start_s: float
    size: float = 0.0
    level_db: float = 0.0


@dataclass(frozen=True)
class Garden:
    """A view, a steady noise, and all stays and events from 0 s to end_s, a whole number."""

    end_s: float
    view: Path
    steady: Path
    dusk: bool
    gusty: bool
    stays: tuple[Stay, ...]
    passers: tuple[Event, ...]
    sounds: tuple[Event, ...]


def find_files(folders: Sequence[Path], half: int | None = None) -> Files:
    """List the files of four folders.

    Args:
        folders: Photographs and recordings, each with one folder for each species; pictures and
            sounds (`<kind>__<n>`) without a bird, both flat.
        half: 0 or 1 uses every second photograph of a species and every second recording, with all
            its clips; None uses all.
    """
    images, audio, views, noises = folders
    data = scan_dataset(images, audio)
    by_kind: dict[str, list[Path]] = {}
    for sample in scan_flat(noises, Sense.AUDIO)[0]:
        by_kind.setdefault(sample.label, []).append(sample.path)
    return Files(
        _half(data.images, half),
        _half(data.audio, half),
        [sample.path for sample in scan_flat(views, Sense.IMAGE)[0]],
        by_kind,
    )


def _half(samples: Sequence[Sample], half: int | None) -> dict[str, list[Path]]:
    recordings = list(dict.fromkeys((sample.label, sample.recording) for sample in samples))
    sides = {recording: place % 2 for place, recording in enumerate(recordings)}
    found: dict[str, list[Path]] = {}
    for sample in samples:
        if half is None or sides[sample.label, sample.recording] == half:
            found.setdefault(sample.label, []).append(sample.path)
    return found


class Draw:
    """A random series of gardens."""

    def __init__(self, files: Files, seed: int) -> None:
        """Draw from these files, by a seed."""
        self._files = files
        self._rng = np.random.default_rng(seed)
        self._now_s = 0.0

    def garden(self, visits: int) -> Garden:
        """Draw a garden with a number of visits, and those that overlap them."""
        self._now_s = 0.0
        stays: list[Stay] = []
        passers: list[Event] = []
        sounds: list[Event] = []
        for _ in range(visits):
            self._interval(passers, sounds)
            stays += self._visit()
            if self._chance(VOICES):
                sounds.append(self._sound(SPOKEN, stays[-1].start_s, stays[-1].end_s))
        self._interval(passers, sounds)
        return Garden(
            float(np.ceil(self._now_s)),
            self._one(self._files.views),
            self._one(self._sounds_of(STEADY)),
            self._chance(DUSK),
            self._chance(GUSTY),
            tuple(stays),
            tuple(passers),
            tuple(sounds),
        )

    def _interval(self, passers: list[Event], sounds: list[Event]) -> None:
        start_s = self._now_s
        self._now_s += self._between(ALONE_S)
        if self._chance(PASSERS):
            passers.append(
                Event(
                    self._one(self._files.views),
                    self._between((start_s, self._now_s - PASSING_S)),
                    size=float(self._rng.choice(SIZES)),
                )
            )
        if self._chance(NOISES):
            sounds.append(self._sound(tuple(self._files.noises), start_s, self._now_s))

    def _visit(self) -> list[Stay]:
        start_s = self._now_s
        end_s = self._now_s = start_s + self._between(STAY_S)
        kind = KINDS[self._rng.integers(len(KINDS))]
        if not self._chance(OVERLAPS):
            return [self._stay(kind, kind, start_s, end_s, self._chance(DARK) and kind == "heard")]
        # One bird is seen and the other heard: the camera crops one bird, but a sound holds both.
        first = "heard" if kind == "heard" else "seen"
        beside = {"heard": ("comes beside", "seen"), "seen": ("sings beside", "heard")}[first]
        stay = self._stay(first, first, start_s, end_s, False)
        other = self._stay(
            *beside,
            start_s + self._between((-SHIFT_S, SHIFT_S)),
            end_s + self._between((-SHIFT_S, SHIFT_S)),
            False,
            stay.species,
        )
        self._now_s = max(stay.end_s, other.end_s)
        return [stay, other]

    def _stay(
        self, kind: str, senses: str, start_s: float, end_s: float, dark: bool, other: str = ""
    ) -> Stay:
        seen, heard = senses != "heard", senses != "seen"
        species = self._species(seen, heard, other)
        photographs = self._files.photographs[species] if seen else []
        shown = self._rng.permutation(len(photographs))[:POSES]
        later_s = (end_s - start_s) / 2 if senses == "heard first" else 0.0
        return Stay(
            species,
            kind,
            start_s,
            end_s,
            start_s + later_s if seen else None,
            tuple(photographs[index] for index in shown),
            self._one(self._files.recordings[species]) if heard else None,
            float(self._rng.choice(SIZES)),
            float(self._rng.choice(SNRS_DB)),
            dark,
        )

    def _species(self, seen: bool, heard: bool, other: str) -> str:
        able = set(self._files.photographs) | set(self._files.recordings)
        if seen:
            able &= set(self._files.photographs)
        if heard:
            able &= set(self._files.recordings)
        names = sorted(able - {other})
        return names[self._rng.integers(len(names))]

    def _sound(self, kinds: tuple[str, ...], start_s: float, end_s: float) -> Event:
        return Event(
            self._one(self._sounds_of(kinds)),
            self._between((start_s, end_s)),
            level_db=self._between(LOUD_DB),
        )

    def _sounds_of(self, kinds: tuple[str, ...]) -> list[Path]:
        return [path for kind in kinds for path in self._files.noises.get(kind, ())]

    def _one(self, paths: Sequence[Path]) -> Path:
        return paths[int(self._rng.integers(len(paths)))]

    def _between(self, bounds: tuple[float, float]) -> float:
        return float(self._rng.uniform(*bounds))

    def _chance(self, share: float) -> bool:
        return bool(self._rng.random() < share)


def draw_script(files: Files, visits: int, seed: int) -> list[Garden]:
    """Draw gardens with a number of visits in all, not counting those that overlap others."""
    draw = Draw(files, seed)
    sizes = [min(VIEW_VISITS, visits - first) for first in range(0, visits, VIEW_VISITS)]
    return [draw.garden(size) for size in sizes]
