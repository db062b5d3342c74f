"""Folders of photographs and recordings, one a species, and their split by recording."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.sense import Sense
from birdfield.model.species import Species, clean_name, fold
from birdfield.signals.audio import AUDIO_SUFFIXES
from birdfield.signals.image import IMAGE_SUFFIXES

SUFFIXES = {Sense.IMAGE: IMAGE_SUFFIXES, Sense.AUDIO: AUDIO_SUFFIXES}
WHAT = {Sense.IMAGE: "photographs", Sense.AUDIO: "recordings"}
RECORDING = re.compile(r"(?P<recording>.+)__[0-9]+")
STAYS = -1  # the fold of a sample that is never tested


@dataclass(frozen=True)
class Sample:
    """One photograph or sound file.

    Attributes:
        path: The file.
        label: Its species' label.
        sense: "image" or "audio".
        recording: What it shares with the other clips of its recording, unique in its species.
    """

    path: Path
    label: str
    sense: Sense
    recording: str


@dataclass(frozen=True)
class Dataset:
    """What two folders hold: species in the order of their labels, and samples in path order."""

    species: tuple[Species, ...]
    images: tuple[Sample, ...]
    audio: tuple[Sample, ...]
    misnamed: tuple[Path, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The species' labels, sorted."""
        return tuple(species.label for species in self.species)

    def samples(self, sense: Sense) -> tuple[Sample, ...]:
        """Return the samples of "image" or "audio"."""
        return self.images if sense == Sense.IMAGE else self.audio


def scan(
    image_dir: Path,
    audio_dir: Path,
    names: Mapping[str, Species] | None = None,
    senses: Collection[str] = (Sense.IMAGE, Sense.AUDIO),
) -> Dataset:
    """List two folders of species folders; a species may be in one of them only.

    Args:
        image_dir: Holds `<Species>/*.{jpg,jpeg,png,webp,bmp}`.
        audio_dir: Holds `<Species>/*.{wav,flac,ogg,mp3,aiff}`.
        names: Scientific and other names by folded label.
        senses: "image", "audio" or both: the folder of another is not read.

    Raises:
        InputError: When a folder is missing or cannot be read, or none holds a species.
    """
    misnamed: list[Path] = []
    images = _scan_sense(image_dir, Sense.IMAGE, misnamed) if Sense.IMAGE in senses else []
    audio = _scan_sense(audio_dir, Sense.AUDIO, misnamed) if Sense.AUDIO in senses else []
    images, audio = (_joined(found) for found in (images, audio))
    labels = sorted({sample.label for sample in (*images, *audio)})
    if not labels:
        raise InputError(
            f"no species in {image_dir} or {audio_dir}; expected a folder a species "
            "with photographs in the first and recordings in the second"
        )
    known = names or {}
    species = tuple(
        replace(known.get(fold(label), Species(label)), label=label) for label in labels
    )
    return Dataset(species, tuple(images), tuple(audio), tuple(misnamed))


def _scan_sense(folder: Path, sense: Sense, misnamed: list[Path]) -> list[Sample]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one folder a species in it")
    samples: list[Sample] = []
    for place in _inside(folder):
        if place.name.startswith("."):
            continue
        if not place.is_dir():
            misnamed.append(place)
            continue
        label = clean_name(place.name)
        for path in _inside(place):
            if path.name.startswith("."):  # macOS leaves a ._bird.jpg beside bird.jpg
                continue
            if path.suffix.lower() in SUFFIXES[sense] and path.is_file():
                samples.append(Sample(path, label, sense, recording_of(path, sense)))
            else:
                misnamed.append(path)
    return samples


def _joined(samples: list[Sample]) -> list[Sample]:
    """Count a whole file, `<recording>.ext`, as the recording that others are clips of."""
    cut = {(sample.label, sample.recording) for sample in samples}
    return [
        replace(sample, recording=sample.path.stem)
        if (sample.label, sample.path.stem) in cut
        else sample
        for sample in samples
    ]


def _inside(folder: Path) -> list[Path]:
    """List a folder, sorted."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); let yourself read it, or move it away"
        ) from error


def scan_flat(folder: Path, sense: Sense) -> tuple[list[Sample], list[Path]]:
    """List a folder of files that are no species, each called `<kind>__<n>.ext` or `<kind>.ext`.

    Args:
        folder: Holds photographs, or recordings, and nothing else.
        sense: "image" or "audio".

    Returns:
        A sample a file, in path order, its label the kind; and what is no such file.

    Raises:
        InputError: When the folder is missing, cannot be read or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected {WHAT[sense]} in it")
    samples: list[Sample] = []
    misnamed: list[Path] = []
    for path in _inside(folder):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in SUFFIXES[sense] and path.is_file():
            samples.append(
                Sample(path, path.stem.partition("__")[0], sense, f"{sense}:{path.name}")
            )
        else:
            misnamed.append(path)
    if not samples:
        raise InputError(
            f"{folder}: holds no {WHAT[sense]}; expected <kind>__<n>"
            f"{sorted(SUFFIXES[sense])[-1]} or the like, without folders in between"
        )
    return samples, misnamed


def recording_of(path: Path, sense: Sense) -> str:
    """Name the recording of a file: `<recording>__<n>.ext` shares one, any other is its own.

    What it was cut from, beside it, is found by `scan`.
    """
    match = RECORDING.fullmatch(path.stem)
    return match["recording"] if match else f"{sense}:{path.name}"


def assign_folds(samples: Iterable[Sample], count: int, seed: int) -> dict[tuple[str, str], int]:
    """Deal each species' recordings to folds, seeded; a lone recording of a sense stays.

    Args:
        samples: Photographs and recordings together: a recording that holds both is dealt once.
        count: Number of folds.
        seed: Decides the deal.

    Returns:
        The fold, 0..count-1 or STAYS, by (label, recording).
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for sample in samples:
        recordings = groups.setdefault((sample.label, sample.sense), [])
        if sample.recording not in recordings:
            recordings.append(sample.recording)
    folds: dict[tuple[str, str], int] = {}
    rng = np.random.default_rng(seed)
    for (label, _), recordings in sorted(groups.items()):
        fresh = [name for name in sorted(recordings) if (label, name) not in folds]
        first = int(rng.integers(count))
        for place, index in enumerate(rng.permutation(len(fresh))):
            fold = (first + place) % count
            folds[label, fresh[index]] = STAYS if len(recordings) == 1 else fold
    return folds


def fold_of(samples: Sequence[Sample], folds: Mapping[tuple[str, str], int]) -> NDArray[np.int64]:
    """Look up each sample's fold, int64 [N]."""
    return np.array([folds[sample.label, sample.recording] for sample in samples], np.int64)


def scan_background(
    image_dir: Path, audio_dir: Path, senses: Collection[str] = (Sense.IMAGE, Sense.AUDIO)
) -> Dataset:
    """List two flat folders of photographs and recordings without a bird, their kinds as species.

    Args:
        image_dir: Photographs.
        audio_dir: Recordings.
        senses: "image", "audio" or both: the folder of another is not read.

    Raises:
        InputError: When a folder that is read is missing or holds none.
    """
    images, misnamed = scan_flat(image_dir, Sense.IMAGE) if Sense.IMAGE in senses else ([], [])
    audio, others = scan_flat(audio_dir, Sense.AUDIO) if Sense.AUDIO in senses else ([], [])
    kinds = sorted({sample.label for sample in (*images, *audio)})
    return Dataset(tuple(map(Species, kinds)), tuple(images), tuple(audio), (*misnamed, *others))
