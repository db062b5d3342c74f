"""Training pipeline: from a folder of photographs and one of recordings to a complete run."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import tensorflow as tf

from birdfield import atomic
from birdfield.errors import InputError, shorten_list
from birdfield.evaluate.table import to_table
from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import BIRDNET_LICENCE
from birdfield.model.frontend import Frontend
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import read_names
from birdfield.recognise.dataset import MEDIA_NAMES, Dataset, scan_background, scan_dataset
from birdfield_train import manifest
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.background_data import write_background
from birdfield_train.calibration_data import choose_calibration_data
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.crossval import Selected, TrainingJob, cross_validate
from birdfield_train.curves import draw_confusion, draw_curves
from birdfield_train.extractors import extractors_of
from birdfield_train.features import FeatureSet, extract
from birdfield_train.final_fit import fit_all
from birdfield_train.fit import FitSetup
from birdfield_train.history import EpochMetrics, History
from birdfield_train.manifest import DataCounts, FitRecord, FrontendId, RunManifest
from birdfield_train.run_folder import is_complete, partial_run, pin_data
from birdfield_train.samples import IndexedSamples, index_samples
from birdfield_train.sound_features import sound_extractor
from birdfield_train.yamnet import provide_yamnet

LICENCES = ("YAMNet weights: Google, Apache-2.0",)
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


def train(
    config: TrainConfig, reporter: Reporter, resume: bool = False, force: bool = False
) -> Path:
    """Train a run, or continue an interrupted one.

    Args:
        config: The options.
        reporter: Callbacks for the progress.
        resume: Whether to continue an interrupted run.
        force: Whether to replace an existing run.

    Returns:
        The folder of the run.

    Raises:
        InputError: When the data cannot be used, or the folder holds something that is not a run.
        ExistsError: When the run exists and force is False.
        RunConflict: When an interrupted run cannot be continued as requested.
    """
    tf.config.experimental.enable_op_determinism()
    if is_complete(config.run, resume, force):
        reporter.say(f"{config.run} is complete; nothing is left to do")
        return config.run
    with partial_run(config.run, config.fingerprint(), resume, force) as folder:
        inputs = _read_inputs(folder, config, reporter)
        _require_samples(inputs.dataset, inputs.features)
        _train_into(folder, config, inputs, reporter)
    return config.run


def _read_inputs(folder: Path, config: TrainConfig, reporter: Reporter) -> TrainingInputs:
    """Scan the data, and extract the features of background and of birds."""
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
    return TrainingInputs(dataset, backbone, frontend, features, background)


def _open_frontend(folder: Path, config: TrainConfig) -> Frontend:
    """Open the frontend; the run keeps its YAMNet, whose classes every frontend reports."""
    yamnet = folder / manifest.YAMNET_FILE
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


def _train_into(
    folder: Path, config: TrainConfig, inputs: TrainingInputs, reporter: Reporter
) -> None:
    """Cross-validate, fit all samples, and write the run."""
    checkpoints = pin_data(folder, inputs.digest())
    _keep_calibration_data(folder, config, inputs)
    history = History(folder / "history.csv")

    def on_epoch(stage: str, epochs: int, metrics: EpochMetrics) -> None:
        history.add(stage, metrics)
        reporter.epoch(stage, epochs, metrics)

    job = _training_job(config, inputs, checkpoints)
    selected = cross_validate(job, config.grid, on_epoch)
    _report_untested(job.samples, reporter)
    final = fit_all(job, selected, folder / manifest.TAIL_FILE, on_epoch)
    gallery = final.build_gallery(job, selected)
    atomic.write_file(folder / manifest.GALLERY_FILE, gallery.dump())
    final.fitter.save_weights(folder / manifest.HEADS_FILE)
    if config.image_weights:
        shutil.copyfile(config.image_weights, folder / manifest.IMAGE_WEIGHTS_FILE)
    _write_json(folder / manifest.REPORT_FILE, _report(config, selected))
    record = _manifest(config, inputs, job.setup, selected)
    _write_json(folder / manifest.RUN_FILE, record.to_json())
    _report_selected(config, selected, reporter)
    draw_curves(history.rows(), folder / "curves.png")
    draw_confusion(selected.predictions, inputs.dataset.labels, folder / "confusion.png")


def _training_job(config: TrainConfig, inputs: TrainingInputs, checkpoints: Path) -> TrainingJob:
    backbone = inputs.backbone
    samples = index_samples(
        inputs.features, inputs.dataset.species, config.seed, inputs.background, config.grid.folds
    )
    fit = replace(config.fit, image_rate=backbone.head_rate)
    setup = FitSetup(backbone.channels, inputs.frontend.spec, fit, config.seed)
    return TrainingJob(samples, backbone, setup, checkpoints)


def _keep_calibration_data(folder: Path, config: TrainConfig, inputs: TrainingInputs) -> None:
    """Keep inputs for export first, as the photographs may be gone after hours of training."""
    path = folder / manifest.CALIBRATION_FILE
    if not path.exists():
        choose_calibration_data(
            inputs.features,
            inputs.dataset.labels,
            inputs.backbone.spec,
            inputs.frontend.spec,
            config.seed,
        ).save(path)


def _report_untested(samples: IndexedSamples, reporter: Reporter) -> None:
    for sense in samples.untested():
        reporter.say(
            f"no species has two {MEDIA_NAMES[sense]}, so cross-validation cannot test this sense; "
            "the other sense sets its thresholds"
        )


def _report(config: TrainConfig, selected: Selected) -> dict[str, object]:
    """Return the content of cv.json."""
    return {
        **selected.report.to_json(),
        "seed": config.seed,
        "epochs": selected.epochs,
        "gain": selected.gain,
    }


def _manifest(
    config: TrainConfig, inputs: TrainingInputs, setup: FitSetup, selected: Selected
) -> RunManifest:
    backbone, frontend, features = inputs.backbone, inputs.frontend, inputs.features
    return RunManifest(
        backbone.name,
        backbone.key,
        config.image_weights is not None,
        backbone.spec,
        backbone.channels,
        FrontendId(frontend.spec.name, frontend.sha256),
        frontend.spec,
        selected.calibration,
        config.seed,
        FitRecord(setup.config, selected.epochs, selected.gain),
        DataCounts(
            len(inputs.dataset.species),
            len(features.images),
            len(features.audio),
            len(features.problems),
        ),
        config.senses,
        config.licence,
        (backbone.licence, *LICENCES, *_frontend_licences(frontend)),
    )


def _frontend_licences(frontend: Frontend) -> Sequence[str]:
    return [BIRDNET_LICENCE] if frontend.spec is BIRDNET else []


def _write_json(path: Path, content: dict[str, object]) -> None:
    atomic.write_file(path, json.dumps(content, indent=1).encode())


def _report_selected(config: TrainConfig, selected: Selected, reporter: Reporter) -> None:
    senses = SENSES if config.senses == Sense.BOTH else (config.senses,)
    reporter.say(
        f"cross-validation, {config.grid.folds} folds by recording, chose {selected.epochs} "
        f"epochs and a gain of {selected.gain:g}:\n{to_table(selected.report, senses)}"
    )
