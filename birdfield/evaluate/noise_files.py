"""Noise files: lists a folder of noises by kind and checks each file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_flat
from birdfield.signals.audio import read_audio
from birdfield.signals.usability import window_fault

CHECK_HZ = 16_000  # the rate at which files are checked for silence


@dataclass(frozen=True)
class Noises:
    """Usable noise files by kind, and a sentence for each other file."""

    files: Mapping[str, tuple[Path, ...]]
    problems: tuple[str, ...]


def find_noises(folder: Path) -> Noises:
    """List the files `<kind>__<n>.<ext>` of a folder by kind, and read each of them.

    Raises:
        InputError: When the folder is missing, or each file is unreadable or silent.
    """
    samples, misnamed = scan_flat(folder, Sense.AUDIO)
    problems = [f"{path}: no sound file" for path in misnamed]
    files: dict[str, tuple[Path, ...]] = {}
    for sample in samples:
        try:
            if window_fault(read_audio(sample.path, CHECK_HZ)) == "silent":
                raise InputError(f"{sample.path}: the noise is silent")
        except InputError as error:
            problems.append(str(error))
            continue
        files[sample.label] = (*files.get(sample.label, ()), sample.path)
    if not files:
        raise InputError(f"{folder}: no usable noise ({problems[0]})")
    return Noises(files, tuple(problems))
