"""Dataset: lists folders of photographs and recordings, one folder for each species."""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species, clean_name, fold
from birdfield.recognise.housekeeping import is_housekeeping
from birdfield.signals.audio import AUDIO_SUFFIXES
from birdfield.signals.image import IMAGE_SUFFIXES

SUFFIXES = {Sense.IMAGE: IMAGE_SUFFIXES, Sense.AUDIO: AUDIO_SUFFIXES}
MEDIA_NAMES = {Sense.IMAGE: "photographs", Sense.AUDIO: "recordings"}
CLIP = re.compile(r"(?P<recording>.+)__[0-9]+")  # the stem of a clip's file name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """A photograph or a sound file.

    Attributes:
        path: The file.
        label: Label of its species.
        sense: IMAGE or AUDIO.
        recording: Name that it shares with the other clips of its recording, unique in its
            species.
    """

    path: Path
    label: str
    sense: Sense
    recording: str


@dataclass(frozen=True)
class Dataset:
    """The samples in a folder of photographs and a folder of recordings.

    Attributes:
        species: Species in the order of their labels.
        images: Photographs in path order.
        audio: Recordings in path order.
        misnamed: Files and folders that were left out, because of their name or place.
    """

    species: tuple[Species, ...]
    images: tuple[Sample, ...]
    audio: tuple[Sample, ...]
    misnamed: tuple[Path, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The species' labels, sorted."""
        return tuple(species.label for species in self.species)

    def samples(self, sense: Sense) -> tuple[Sample, ...]:
        """Return the samples of IMAGE or AUDIO."""
        return self.images if sense == Sense.IMAGE else self.audio


def scan_dataset(
    image_dir: Path,
    audio_dir: Path,
    names: Mapping[str, Species] | None = None,
    senses: Collection[Sense] = EACH_SENSE,
) -> Dataset:
    """List two folders of species folders; a species may be in only one of them.

    Folders whose names differ in case, blanks, hyphens, ... are of one species, as `fold` says.

    Args:
        image_dir: Folder of `<Species>/*.{jpg,jpeg,png,webp,bmp}`.
        audio_dir: Folder of `<Species>/*.{wav,flac,ogg,mp3,aiff}`.
        names: Scientific and other names by folded label.
        senses: IMAGE, AUDIO or both; the folder of the other is not read.

    Raises:
        InputError: When a folder is missing or cannot be read, or neither has a species.
    """
    misnamed: list[Path] = []
    images = _scan_species(image_dir, Sense.IMAGE, misnamed) if Sense.IMAGE in senses else []
    audio = _scan_species(audio_dir, Sense.AUDIO, misnamed) if Sense.AUDIO in senses else []
    known = names or {}
    spelled = _one_spelling([*images, *audio], known)
    images, audio = (
        _join_clips([replace(sample, label=spelled[sample.label]) for sample in found])
        for found in (images, audio)
    )
    labels = sorted({sample.label for sample in (*images, *audio)})
    if not labels:
        raise InputError(
            f"no species in {image_dir} or {audio_dir}; expected a folder for each species, with "
            "photographs in the first and recordings in the second"
        )
    species = tuple(
        replace(known.get(fold(label), Species(label)), label=label) for label in labels
    )
    return Dataset(species, tuple(images), tuple(audio), tuple(misnamed))


def scan_background(
    image_dir: Path, audio_dir: Path, senses: Collection[Sense] = EACH_SENSE
) -> Dataset:
    """List two flat folders of photographs and recordings without a bird, their kinds as species.

    Args:
        image_dir: Folder of photographs.
        audio_dir: Folder of recordings.
        senses: IMAGE, AUDIO or both; the folder of the other is not read.

    Raises:
        InputError: When a folder that is read is missing or has no such file.
    """
    images, misnamed = scan_flat(image_dir, Sense.IMAGE) if Sense.IMAGE in senses else ([], [])
    audio, others = scan_flat(audio_dir, Sense.AUDIO) if Sense.AUDIO in senses else ([], [])
    kinds = sorted({sample.label for sample in (*images, *audio)})
    return Dataset(tuple(map(Species, kinds)), tuple(images), tuple(audio), (*misnamed, *others))


def scan_flat(folder: Path, sense: Sense) -> tuple[list[Sample], list[Path]]:
    """List a folder of files called `<kind>__<n>.ext` or `<kind>.ext`, without species folders.

    Args:
        folder: Folder of photographs or recordings.
        sense: IMAGE or AUDIO.

    Returns:
        A sample for each file in path order, with the kind as its label; and the files left out.

    Raises:
        InputError: When the folder is missing, cannot be read, or has no such file.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of {MEDIA_NAMES[sense]}")
    samples: list[Sample] = []
    misnamed: list[Path] = []
    for path in _visible(folder):
        if _is_media(path, sense):
            kind = path.stem.partition("__")[0]
            samples.append(Sample(path, kind, sense, _own_recording(path, sense)))
        else:
            misnamed.append(path)
    if not samples:
        raise InputError(
            f"{folder}: no {MEDIA_NAMES[sense]}; expected names such as <kind>__<n>"
            f"{max(SUFFIXES[sense])}, without folders in between"
        )
    return samples, misnamed


def recording_of(path: Path, sense: Sense) -> str:
    """Return the recording of a file: that of `<recording>__<n>.ext`, or the file itself.

    `scan_dataset` also counts a file `<recording>.ext` as the recording of the clips beside it.
    """
    match = CLIP.fullmatch(path.stem)
    return match["recording"] if match else _own_recording(path, sense)


def _own_recording(path: Path, sense: Sense) -> str:
    return f"{sense}:{path.name}"


def _scan_species(folder: Path, sense: Sense, misnamed: list[Path]) -> list[Sample]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder with one for each species")
    samples: list[Sample] = []
    for species_folder in _visible(folder):
        if not species_folder.is_dir():
            misnamed.append(species_folder)
            continue
        label = clean_name(species_folder.name)
        for path in _visible(species_folder):
            if _is_media(path, sense):
                samples.append(Sample(path, label, sense, recording_of(path, sense)))
            else:
                misnamed.append(path)
    return samples


def _one_spelling(samples: Sequence[Sample], known: Mapping[str, Species]) -> dict[str, str]:
    """Return one label for all folders of a species, by the label of each folder.

    Of the spellings in the names CSV and of the folders, it is the one that has most of what `fold`
    leaves out. A warning names folders that differ by more than blanks.
    """
    folders: dict[str, dict[Path, str]] = {}
    for sample in samples:
        folders.setdefault(fold(sample.label), {})[sample.path.parent] = sample.label
    spelled: dict[str, str] = {}
    for folded, own in folders.items():
        labels = set(own.values())
        listed = [known[folded].label] if folded in known else []
        label = max([*listed, *sorted(labels)], key=_marks)
        spelled |= dict.fromkeys(labels, label)
        if len(labels) > 1 or len({folder.parent for folder in own}) < len(own):
            log.warning(
                "%s are folders of one species, %s", " and ".join(map(str, sorted(own))), label
            )
    return spelled


def _marks(label: str) -> tuple[bool, int]:
    """Return a sort key: names with capitals and small letters first, then with more marks."""
    mixed = not (label.islower() or label.isupper())
    return mixed, sum(not (each.isascii() and each.isalnum() or each == " ") for each in label)


def _join_clips(samples: list[Sample]) -> list[Sample]:
    """Give a whole file, `<recording>.ext`, the recording of the clips that were cut from it."""
    clipped = {(sample.label, sample.recording) for sample in samples}
    return [
        replace(sample, recording=sample.path.stem)
        if (sample.label, sample.path.stem) in clipped
        else sample
        for sample in samples
    ]


def _is_media(path: Path, sense: Sense) -> bool:
    return path.suffix.lower() in SUFFIXES[sense] and path.is_file()


def _visible(folder: Path) -> list[Path]:
    """List a folder, sorted, without what a system keeps in it."""
    try:
        return sorted(path for path in folder.iterdir() if not is_housekeeping(Path(path.name)))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); allow reading it, or move it away"
        ) from error
