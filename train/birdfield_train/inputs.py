"""Training inputs: the data of a run, and the networks that read it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import InputError, shorten_list
from birdfield.model.frontend import Frontend
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.model.species import read_names
from birdfield.recognise.dataset import Dataset, scan_background, scan_dataset
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.background_data import write_background
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.extractors import extractors_of
from birdfield_train.features import FeatureSet, extract
from birdfield_train.manifest import YAMNET_FILE
from birdfield_train.sound_features import sound_extractor
from birdfield_train.yamnet import provide_yamnet

MIN_SAMPLES = 2  # of a species, over both senses


@dataclass(frozen=True)
class TrainingInputs:
    """The data of a run and the networks that read it.

    Attributes:
        dataset: The files with a bird.
        backbone: The convolutional base.
        frontend: The frontend.
        features: Of the usable files of the dataset.
        background: Of usable files without a bird.
    """

    dataset: Dataset
    backbone: Backbone
    frontend: Frontend
    features: FeatureSet
    background: FeatureSet

    def digest(self) -> str:
        """Return a SHA-256 that changes with the files, the labels and the weights."""
        files = [
            [feature.sample.label, feature.sample.recording, feature.cached.name]
            for found in (self.features, self.background)
            for feature in (*found.images, *found.audio)
        ]
        content = json.dumps([[self.backbone.key, self.frontend.sha256], files])
        return hashlib.sha256(content.encode()).hexdigest()


def read_inputs(folder: Path, config: TrainConfig, reporter: Reporter) -> TrainingInputs:
    """Scan the data, and extract the features of background and of birds.

    Args:
        folder: The folder of the run, which receives its YAMNet.
        config: The options.
        reporter: Callbacks for the progress.

    Raises:
        InputError: When the data cannot be used.
    """
    dataset = scan_dataset(
        config.image_dir,
        config.audio_dir,
        read_names(config.names) if config.names else None,
        config.each_sense,
    )
    backbone = get_backbone(config.image_backbone, config.image_weights)
    frontend = _open_frontend(folder, config)
    extractors = extractors_of(backbone, frontend)
    with _background_files(config) as files:
        background = extract(files, extractors, reporter.step)
        _report_problems(background, config, reporter)
        noises = [feature.sample.path for feature in background.audio]
        extractors[Sense.AUDIO] = sound_extractor(frontend, noises)
        features = extract(dataset, extractors, reporter.step)
        _report_problems(features, config, reporter)
    _require_samples(dataset, features)
    return TrainingInputs(dataset, backbone, frontend, features, background)


def _open_frontend(folder: Path, config: TrainConfig) -> Frontend:
    """Open the frontend; the run keeps its YAMNet, whose classes every frontend reports."""
    yamnet = folder / YAMNET_FILE
    if not yamnet.exists():
        provide_yamnet(config.yamnet, yamnet)
    return open_frontend(config.frontend, yamnet, os.cpu_count() or 1)


@contextmanager
def _background_files(config: TrainConfig) -> Iterator[Dataset]:
    """List the files without a bird; when none are named, generate the same ones in every run."""
    with tempfile.TemporaryDirectory() as folder:
        yield scan_background(
            *(config.background or write_background(Path(folder))), config.each_sense
        )


def _report_problems(features: FeatureSet, config: TrainConfig, reporter: Reporter) -> None:
    """Name the unusable files; raise InputError when the run is strict."""
    for problem in features.problems:
        reporter.say(f"skipped {problem}")
    if features.problems:
        count = f"{len(features.problems)} of the files cannot be used"
        if config.strict:
            raise InputError(f"{count}, and a strict run needs all of them; repair or remove them")
        reporter.say(f"{count}; training skips them")


def _require_samples(dataset: Dataset, features: FeatureSet) -> None:
    counts = dict.fromkeys(dataset.labels, 0)
    for feature in (*features.images, *features.audio):
        counts[feature.sample.label] += 1
    few = [f"{label} ({count})" for label, count in counts.items() if count < MIN_SAMPLES]
    if few:
        raise InputError(
            f"too few usable files: {shorten_list(few)}; expected at least {MIN_SAMPLES} per "
            "species; add files or remove the folder"
        )
    if len(counts) < 2:
        raise InputError(
            f"only one species, {dataset.labels[0]}; expected at least 2; add a folder of another"
        )
