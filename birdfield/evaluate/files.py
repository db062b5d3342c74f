"""Test files: lists the folders of an evaluation and embeds their files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from birdfield.errors import InputError, shorten_list
from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.model.encoder import DIM, Encoder, Vector
from birdfield.model.sense import Sense
from birdfield.model.species import fold
from birdfield.recognise.dataset import Dataset, Sample, scan_dataset
from birdfield.recognise.embed import embed_file, pool_samples

Progress = Callable[[str, int, int], None]  # the name of a stage, steps done, all steps
STAGES = {Sense.IMAGE: "photographs", Sense.AUDIO: "recordings"}


@dataclass(frozen=True)
class EmbeddedFiles:
    """The embeddings of all usable files.

    Attributes:
        images: The photographs.
        audio: The recordings.
        image_paths: The file behind each row of `images`.
        audio_paths: The file behind each row of `audio`.
        problems: A sentence for each file that cannot be used.
    """

    images: LabelledEmbeddings
    audio: LabelledEmbeddings
    image_paths: tuple[Path, ...]
    audio_paths: tuple[Path, ...]
    problems: tuple[str, ...]


def embed_folders(
    encoder: Encoder, labels: Sequence[str], image_dir: Path, audio_dir: Path, progress: Progress
) -> EmbeddedFiles:
    """Embed all photographs and recordings of two folders; pool the windows of each recording.

    Args:
        encoder: The model's encoder.
        labels: The species of its gallery.
        image_dir: Photographs, one folder for each species.
        audio_dir: Recordings, one folder for each species.
        progress: Called after each file.

    Raises:
        InputError: When a folder is missing, holds no usable file, or names a species that the
            gallery lacks.
    """
    dataset = scan_dataset(image_dir, audio_dir)
    dataset = replace(
        dataset,
        images=_spell_as(dataset.images, labels),
        audio=_spell_as(dataset.audio, labels),
    )
    found = {sample.label for sample in (*dataset.images, *dataset.audio)}
    unknown = sorted(found.difference(labels))
    if unknown:
        raise InputError(
            f"the model does not know {shorten_list(unknown)}; enrol these species, or remove "
            "their folders"
        )
    files = embed_dataset(encoder, labels, dataset, progress)
    if not files.image_paths and not files.audio_paths:
        raise InputError(
            f"no usable file in {image_dir} or {audio_dir} "
            f"({files.problems[0] if files.problems else 'the folders are empty'})"
        )
    return files


def _spell_as(samples: Sequence[Sample], labels: Sequence[str]) -> tuple[Sample, ...]:
    """Spell each species as the gallery does, where a folder's name differs in case."""
    spelt = {**{fold(label): label for label in labels}, **{label: label for label in labels}}
    return tuple(
        replace(sample, label=spelt.get(sample.label, spelt.get(fold(sample.label), sample.label)))
        for sample in samples
    )


def embed_dataset(
    encoder: Encoder, labels: Sequence[str], dataset: Dataset, progress: Progress
) -> EmbeddedFiles:
    """Embed the files of a dataset; number its species by their place in `labels`."""
    problems = [f"{path}: not a file of this data set" for path in dataset.misnamed]
    recordings: dict[tuple[str, str], int] = {}
    found: list[tuple[LabelledEmbeddings, tuple[Path, ...]]] = []
    for sense in (Sense.IMAGE, Sense.AUDIO):
        pooled, failed = _embed_samples(encoder, dataset.samples(sense), progress)
        problems += failed
        for sample in pooled:
            recordings.setdefault((sample.label, sample.recording), len(recordings))
        found.append((_label_all(pooled, labels, recordings), tuple(each.path for each in pooled)))
    (images, image_paths), (audio, audio_paths) = found
    return EmbeddedFiles(images, audio, image_paths, audio_paths, tuple(problems))


def _embed_samples(
    encoder: Encoder, samples: Sequence[Sample], progress: Progress
) -> tuple[dict[Sample, Vector], list[str]]:
    """Embed samples; return the embeddings, and a sentence for each unusable file."""
    vectors: dict[Sample, Vector] = {}
    problems = []
    for count, sample in enumerate(samples, 1):
        try:
            part = pool_samples(embed_file(encoder, sample.path))
        except InputError as error:
            problems.append(str(error))
        else:
            vector = part.image if sample.sense == Sense.IMAGE else part.audio
            assert vector is not None  # the file's ending decides its sense
            vectors[sample] = vector
        progress(STAGES[sample.sense], count, len(samples))
    return vectors, problems


def _label_all(
    vectors: Mapping[Sample, Vector],
    labels: Sequence[str],
    recordings: Mapping[tuple[str, str], int],
) -> LabelledEmbeddings:
    index = {label: row for row, label in enumerate(labels)}
    return LabelledEmbeddings(
        np.array(list(vectors.values()), np.float32).reshape(-1, DIM),
        np.array([index[sample.label] for sample in vectors], np.int64),
        np.array([recordings[sample.label, sample.recording] for sample in vectors], np.int64),
    )
