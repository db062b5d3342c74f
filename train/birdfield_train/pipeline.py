"""Training pipeline: from a folder of photographs and one of recordings to a complete run."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from birdfield import atomic
from birdfield.evaluate.table import to_table
from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import BIRDNET_LICENCE
from birdfield.model.frontend import Frontend
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.dataset import MEDIA_NAMES
from birdfield_train import manifest
from birdfield_train.calibration_data import choose_calibration_data
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.crossval import Selected, TrainingJob, cross_validate
from birdfield_train.curves import draw_confusion, draw_curves
from birdfield_train.final_fit import fit_all
from birdfield_train.fit import FitSetup
from birdfield_train.history import EpochMetrics, History
from birdfield_train.inputs import TrainingInputs, read_inputs
from birdfield_train.manifest import DataCounts, FitRecord, FrontendId, RunManifest
from birdfield_train.run_folder import is_complete, partial_run, pin_data
from birdfield_train.samples import IndexedSamples, index_samples

LICENCES = ("YAMNet weights: Google, Apache-2.0",)


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
        inputs = read_inputs(folder, config, reporter)
        _train_into(folder, config, inputs, reporter)
    return config.run


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
        **selected.figures.to_json(),
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
        f"epochs and a gain of {selected.gain:g}:\n{to_table(selected.figures, senses)}"
    )
