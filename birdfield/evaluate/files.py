"""Embedding the test files of two folders, for `birdfield.evaluate`."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from birdfield.errors import InputError, shorten_list
from birdfield.evaluate.pairs import Embedded
from birdfield.model.encoder import DIM, Encoder, Vector
from birdfield.model.sense import Sense
from birdfield.model.species import fold
from birdfield.recognise.dataset import Dataset, Sample, scan
from birdfield.recognise.embed import embed_file
from birdfield.recognise.identify import pool_parts

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EmbeddedFiles:
    """The usable files by sense, where each row of them came from, the problems of the others."""

    images: Embedded
    audio: Embedded
    image_paths: tuple[Path, ...]
    audio_paths: tuple[Path, ...]
    problems: tuple[str, ...]


def embed_folders(
    encoder: Encoder, labels: Sequence[str], image_dir: Path, audio_dir: Path, progress: Progress
) -> EmbeddedFiles:
    """Embed every photograph and recording, all windows of a recording pooled.

    Args:
        encoder: The model.
        labels: Of its gallery.
        image_dir: Photographs, a folder a species.
        audio_dir: Recordings, a folder a species.
        progress: Told after each file.

    Raises:
        InputError: When a folder is missing, or a species is not in the gallery.
    """
    dataset = scan(image_dir, audio_dir)
    dataset = replace(
        dataset, images=_as_spelt(dataset.images, labels), audio=_as_spelt(dataset.audio, labels)
    )
    found = {sample.label for sample in (*dataset.images, *dataset.audio)}
    unknown = sorted(found.difference(labels))
    if unknown:
        raise InputError(
            f"the model does not know {shorten_list(unknown)}; enrol such species, or "
            "leave their folders out"
        )
    files = embed_dataset(encoder, labels, dataset, progress)
    if not files.image_paths and not files.audio_paths:
        raise InputError(
            f"no usable file in {image_dir} or {audio_dir} "
            f"({files.problems[0] if files.problems else 'the folders are empty'})"
        )
    return files


def _as_spelt(samples: Sequence[Sample], labels: Sequence[str]) -> tuple[Sample, ...]:
    """Call species as the gallery does, where a folder spells them in another case."""
    spelt = {**{fold(label): label for label in labels}, **{label: label for label in labels}}
    return tuple(
        replace(sample, label=spelt.get(sample.label, spelt.get(fold(sample.label), sample.label)))
        for sample in samples
    )


def embed_dataset(
    encoder: Encoder, labels: Sequence[str], dataset: Dataset, progress: Progress
) -> EmbeddedFiles:
    """Embed the files of a dataset, whose species are numbered by their place in `labels`."""
    problems = [f"{path}: not a file of this data set" for path in dataset.misnamed]
    index = {label: row for row, label in enumerate(labels)}
    recordings: dict[tuple[str, str], int] = {}
    (images, image_paths), (audio, audio_paths) = (
        _embed(encoder, dataset.samples(sense), index, recordings, problems, progress)
        for sense in (Sense.IMAGE, Sense.AUDIO)
    )
    return EmbeddedFiles(images, audio, image_paths, audio_paths, tuple(problems))


def _embed(
    encoder: Encoder,
    samples: Sequence[Sample],
    index: dict[str, int],
    recordings: dict[tuple[str, str], int],
    problems: list[str],
    progress: Progress,
) -> tuple[Embedded, tuple[Path, ...]]:
    paths: list[Path] = []
    vectors: list[Vector] = []
    labels: list[int] = []
    groups: list[int] = []
    for count, sample in enumerate(samples, 1):
        try:
            part = pool_parts(embed_file(encoder, sample.path))
        except InputError as error:
            problems.append(str(error))
            continue
        finally:
            progress(
                "photographs" if sample.sense == Sense.IMAGE else "recordings", count, len(samples)
            )
        vector = part.image if sample.sense == Sense.IMAGE else part.audio
        assert vector is not None  # embed_file gives what the file's ending says
        paths.append(sample.path)
        vectors.append(vector)
        labels.append(index[sample.label])
        groups.append(recordings.setdefault((sample.label, sample.recording), len(recordings)))
    embedded = Embedded(
        np.array(vectors, np.float32).reshape(-1, DIM),
        np.array(labels, np.int64),
        np.array(groups, np.int64),
    )
    return embedded, tuple(paths)
