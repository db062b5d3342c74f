"""Evaluation: measures a model on test files, in noise, and against the unknown."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from birdfield.evaluate.figures import Figures
from birdfield.evaluate.files import EmbeddedFiles, Progress, embed_dataset, embed_folders
from birdfield.evaluate.noise import NoiseTest
from birdfield.evaluate.noise_files import Noises
from birdfield.evaluate.rejection import Separation, measure_background, measure_unknown
from birdfield.evaluate.scores import EvaluationScores, late_fusion, score
from birdfield.evaluate.summary import summarise
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Dataset

Separations = Mapping[Sense, Separation]


@dataclass(frozen=True)
class EvaluatedModel:
    """A model to evaluate: its encoder, its gallery and its id."""

    encoder: Encoder
    gallery: Gallery
    model_id: str


@dataclass(frozen=True)
class EvaluationData:
    """The data of an evaluation; None is a test that is left out.

    Attributes:
        image_dir: Photographs, one folder for each species.
        audio_dir: Recordings, one folder for each species.
        noises: Noise files by kind.
        unknown: Species that the model does not know.
        background: Photographs and recordings without a bird.
    """

    image_dir: Path
    audio_dir: Path
    noises: Noises | None = None
    unknown: Dataset | None = None
    background: Dataset | None = None


@dataclass(frozen=True)
class Measurement:
    """The result of an evaluation.

    Attributes:
        figures: All figures.
        files: The embeddings of the test files.
        scores: The scores of the test files.
        unknown: The margins behind `figures.unknown`; empty when not measured.
        background: The margins behind `figures.background`; empty when not measured.
        problems: A sentence for each file, of any test, that cannot be used.
    """

    figures: Figures
    files: EmbeddedFiles
    scores: EvaluationScores
    unknown: Separations = field(default_factory=dict)
    background: Separations = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def measure(model: EvaluatedModel, data: EvaluationData, progress: Progress) -> Measurement:
    """Measure a model.

    Raises:
        InputError: When a folder of test files cannot be used.
    """
    encoder, gallery = model.encoder, model.gallery
    files = embed_folders(encoder, gallery.labels, data.image_dir, data.audio_dir, progress)
    scores = score(encoder.fuse, gallery, files.images, files.audio)
    late = late_fusion(scores, gallery.calibration)
    figures = summarise(scores, model.model_id, len(gallery.species), late)
    found = Measurement(figures, files, scores, problems=files.problems)
    if data.noises:
        found = _add_noise(found, model, data.noises, progress)
    if data.unknown:
        found = _add_unknown(found, encoder, data.unknown, progress)
    return _add_background(found, encoder, data.background, progress) if data.background else found


def _add_noise(
    found: Measurement, model: EvaluatedModel, noises: Noises, progress: Progress
) -> Measurement:
    rows = NoiseTest(model.encoder, model.gallery, noises, progress).measure(found.files)
    return replace(
        found,
        figures=replace(found.figures, noise=rows),
        problems=(*found.problems, *noises.problems),
    )


def _add_unknown(
    found: Measurement, encoder: Encoder, data: Dataset, progress: Progress
) -> Measurement:
    files = embed_dataset(encoder, data.labels, data, progress)
    rejection = measure_unknown(encoder.fuse, found.scores, files, data.labels)
    return replace(
        found,
        figures=replace(found.figures, unknown=rejection.figures),
        unknown=rejection.separations,
        problems=(*found.problems, *files.problems),
    )


def _add_background(
    found: Measurement, encoder: Encoder, data: Dataset, progress: Progress
) -> Measurement:
    files = embed_dataset(encoder, data.labels, data, progress)
    rejection = measure_background(encoder.fuse, found.scores, files)
    return replace(
        found,
        figures=replace(found.figures, background=rejection.figures),
        background=rejection.separations,
        problems=(*found.problems, *files.problems),
    )
