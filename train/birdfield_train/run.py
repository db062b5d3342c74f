"""A training run: from two folders to a folder that export and evaluate can use."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import tensorflow as tf

from birdfield import atomic
from birdfield.errors import BirdfieldError, InputError, shorten_list
from birdfield.evaluate.table import to_table
from birdfield.model.audio_specs import BIRDNET, spec_of
from birdfield.model.birdnet import BIRDNET_LICENCE
from birdfield.model.frontend import Frontend
from birdfield.model.gallery import Gallery
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species, read_names
from birdfield.recognise.dataset import MEDIA_NAMES, Dataset, scan_background, scan_dataset
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.background import with_background
from birdfield_train.background_data import write_background
from birdfield_train.calibration_data import save_calibration_data
from birdfield_train.crossval import FOLDS, Selected, cross_validate, index_samples
from birdfield_train.curves import draw_confusion, draw_curves
from birdfield_train.factory import build_gallery
from birdfield_train.features import FeatureSet, extract
from birdfield_train.fine_tune import POOLED_VIEWS, pool_images, tuned_tail
from birdfield_train.fit import FitConfig, Fitter
from birdfield_train.heads import Split
from birdfield_train.history import History
from birdfield_train.yamnet import provide_yamnet

FORMAT = 3
PARTIAL = ".partial"  # the ending of a run that is not whole yet
CHECKPOINTS = "checkpoints"
TAIL = "tail.npz"  # a fine-tuned base's last stage
LICENCES = ("YAMNet weights: Google, Apache-2.0",)
MIN_SAMPLES = 2  # of a species, over both senses

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainConfig:
    """What `birdfield train` was asked for.

    Attributes:
        image_dir: Photographs, a folder a species.
        audio_dir: Recordings, a folder a species.
        run: The folder to make.
        image_backbone: A name of `backbones`.
        frontend: A name of `birdfield.frontend`.
        image_weights: A Keras weights file in place of the packaged ones.
        yamnet: A SavedModel folder or URL in place of the packaged one.
        names: A CSV with scientific and other names.
        seed: Decides folds, batches and initial weights.
        strict: Whether an unusable file ends the run.
        senses: "image", "audio" or "both": what is read and trained.
        background: Folders of photographs and of recordings without a bird, in place of code-made.
        licence: Of the data, a line, or None.
        fit: How the heads are trained.
    """

    image_dir: Path
    audio_dir: Path
    run: Path
    image_backbone: str = "vgg16"
    frontend: str = "yamnet"
    image_weights: Path | None = None
    yamnet: str | None = None
    names: Path | None = None
    seed: int = 0
    strict: bool = False
    senses: str = Sense.BOTH
    background: tuple[Path, Path] | None = None
    licence: str | None = None
    fit: FitConfig = field(default_factory=FitConfig)

    def fingerprint(self) -> dict[str, Any]:
        """Return what must be equal for a run to be resumed."""
        return {
            "image_dir": str(self.image_dir.resolve()),
            "audio_dir": str(self.audio_dir.resolve()),
            "seed": self.seed,
            "image_backbone": self.image_backbone,
            "frontend": self.frontend,
            "yamnet": self.yamnet,
            "image_weights": str(self.image_weights) if self.image_weights else None,
            "senses": self.senses,
            "no_bird": [str(path.resolve()) for path in self.background or ()],
            "fit": asdict(self.fit),
            **({"evidence": evidence} if (evidence := spec_of(self.frontend).class_dim) else {}),
        }

    def reads(self, sense: Sense) -> bool:
        """Tell whether "image" or "audio" is trained."""
        return self.senses in (sense, Sense.BOTH)


@dataclass(frozen=True)
class Reporter:
    """Who is told how far a run is."""

    step: Callable[[str, int, int], None]
    epoch: Callable[[str, int, int, Mapping[str, float]], None]
    say: Callable[[str], None]


def train(
    config: TrainConfig, reporter: Reporter, resume: bool = False, force: bool = False
) -> Path:
    """Train a run, or go on with one that was interrupted.

    Args:
        config: What to train.
        reporter: Told of progress.
        resume: Whether to go on with what an interrupted run left.
        force: Whether an existing run is replaced.

    Returns:
        The run's folder.

    Raises:
        InputError: When the data cannot be used, or the run exists; with force, when what exists
            is no run; with resume, when one that was to replace it is left.
    """
    tf.config.experimental.enable_op_determinism()
    if not config.run.name:
        raise InputError(
            f"{config.run}: the folder that is worked in cannot become a run; name one inside it"
        )
    if config.run.exists() and not force:
        if resume and (config.run / "run.json").exists():
            left = config.run.with_name(config.run.name + PARTIAL)
            if left.exists():
                raise InputError(
                    f"{config.run} is complete, and {left} is left of a run that was "
                    f"to replace it; move {config.run} away to go on with that one, "
                    f"or remove {left}"
                )
            reporter.say(f"{config.run} is complete; nothing is left to do")
            return config.run
        raise InputError(
            f"{config.run} exists already; choose another name, or add --force to replace it"
        )
    _require_replaceable(config.run)
    with _partial(config, resume, force) as folder:
        dataset = scan_dataset(
            config.image_dir,
            config.audio_dir,
            read_names(config.names) if config.names else None,
            [sense for sense in SENSES[:2] if config.reads(sense)],
        )
        backbone = get_backbone(config.image_backbone, config.image_weights)
        frontend = _provide_frontend(config, folder)
        with _nothing(config) as found:
            background = _features(config, found, backbone, frontend, reporter)
            features = _features(
                config,
                dataset,
                backbone,
                frontend,
                reporter,
                [feature.sample.path for feature in background.audio],
            )
        _require_samples(dataset, features)
        _train_into(folder, config, dataset, backbone, frontend, features, background, reporter)
    return config.run


def _require_replaceable(run: Path) -> None:
    """Let --force take the place of a run or of an empty folder, never of anything else."""
    whole = run.is_dir() and ((run / "run.json").is_file() or not any(run.iterdir()))
    if run.exists() and not whole:
        raise InputError(
            f"{run} exists already and is no run, so that --force leaves it; choose another name"
        )


@contextmanager
def _partial(config: TrainConfig, resume: bool, force: bool) -> Iterator[Path]:
    """Hold the folder in which a run grows; it takes the run's name when the block ends well."""
    folder = config.run.with_name(config.run.name + PARTIAL)
    try:
        left = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            _take(lock, folder)
            _clear(folder, ".*", "*" if force else ".*")
            if left and not resume and not force:
                raise InputError(
                    f"{folder} is left of an interrupted run; add --resume to go on "
                    "with it or --force to start anew"
                )
            _check_options(folder / "config.json", config)
            try:
                yield folder
            except BirdfieldError:
                if not (folder / CHECKPOINTS).exists():  # nothing was begun that could go on
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            _clear(folder, ".*", CHECKPOINTS, "config.json")
            (folder / "lock").unlink()
            _replace(folder, config.run)
    except OSError as error:
        raise atomic.to_input_error(folder, error) from error


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"{folder}: another train is at work on this run; wait for it or choose another name"
        ) from error


def _check_options(path: Path, config: TrainConfig) -> None:
    options = json.dumps(config.fingerprint(), indent=1).encode()
    if path.exists() and path.read_bytes() != options:
        raise InputError(
            f"{path.parent} was started with other options; repeat them, or add "
            "--force to start anew"
        )
    atomic.write_file(path, options)


def _clear(folder: Path, *patterns: str) -> None:
    """Remove what matches, and in any case what a kill left half written; never the lock."""
    for path in {found for pattern in patterns for found in folder.glob(pattern)}:
        if path.name != "lock":
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(folder: Path, run: Path) -> None:
    """Give a run its name; one that had it stands aside, whole, until then."""
    old = run.with_name(f".{run.name}.old")
    if run.is_dir():
        shutil.rmtree(old, ignore_errors=True)  # what a kill left of an older one
        run.rename(old)
    folder.rename(run)
    shutil.rmtree(old, ignore_errors=True)


def _provide_frontend(config: TrainConfig, folder: Path) -> Frontend:
    """Open the frontend; the run keeps its YAMNet, which every frontend has its classes from."""
    yamnet = folder / "yamnet.tflite"
    if not yamnet.exists():
        provide_yamnet(config.yamnet, yamnet)
    return open_frontend(config.frontend, yamnet, os.cpu_count() or 1)


def _features(
    config: TrainConfig,
    dataset: Dataset,
    backbone: Backbone,
    frontend: Frontend,
    reporter: Reporter,
    noises: Sequence[Path] = (),
) -> FeatureSet:
    features = extract(dataset, backbone, frontend, reporter.step, noises)
    for problem in features.problems:
        reporter.say(f"skipped {problem}")
    if features.problems:
        sentence = f"{len(features.problems)} of the files cannot be used"
        if config.strict:
            raise InputError(f"{sentence} and --strict was given; mend or remove them")
        reporter.say(f"{sentence}; they were skipped")
    return features


@contextmanager
def _nothing(config: TrainConfig) -> Iterator[Dataset]:
    """List what is no bird; without folders of it, draw some: the same in every run."""
    with tempfile.TemporaryDirectory() as drawn:
        yield scan_background(
            *(config.background or write_background(Path(drawn))),
            [sense for sense in SENSES[:2] if config.reads(sense)],
        )


def _require_samples(dataset: Dataset, features: FeatureSet) -> None:
    counts = dict.fromkeys(dataset.labels, 0)
    for feature in (*features.images, *features.audio):
        counts[feature.sample.label] += 1
    few = [f"{label} ({count})" for label, count in counts.items() if count < MIN_SAMPLES]
    if few:
        raise InputError(
            f"too few usable files: {shorten_list(few)}; expected at least {MIN_SAMPLES} a "
            "species; add files or remove the folder"
        )
    if len(counts) < 2:
        raise InputError(
            f"only one species, {dataset.labels[0]}; expected at least 2 to tell apart"
        )


def _train_into(
    folder: Path,
    config: TrainConfig,
    dataset: Dataset,
    backbone: Backbone,
    frontend: Frontend,
    features: FeatureSet,
    background: FeatureSet,
    reporter: Reporter,
) -> None:
    config = replace(config, fit=replace(config.fit, image_rate=backbone.head_rate))
    samples = index_samples(features, dataset.species, config.seed, background)
    checkpoints = folder / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    _check_data(checkpoints / "data.sha256", (backbone.key, frontend.sha256), features, background)
    kept = folder / "calibration.npz"
    if not kept.exists():  # of the photographs while they are there: training takes hours
        save_calibration_data(
            kept, features, dataset.labels, backbone.spec, frontend.spec, config.seed
        )
    history = History(folder / "history.csv")

    def on_epoch(stage: str, epoch: int, epochs: int, row: Mapping[str, float]) -> None:
        history.add(stage, row)
        reporter.epoch(stage, epoch, epochs, row)

    selected = cross_validate(
        samples, backbone, frontend.spec, config.fit, config.seed, checkpoints, on_epoch
    )
    for sense in samples.untested():
        reporter.say(
            f"no species has two {MEDIA_NAMES[sense]}: none could be left out to test what was "
            "learnt of them; the other sense says how near a known bird has to be"
        )
    split = samples.split(None)
    tail = tuned_tail(
        backbone,
        split.images,
        split.image_labels,
        config.seed,
        folder / TAIL,
        lambda *told: on_epoch("final base", *told),
    )
    split = replace(split, images=pool_images(tail, split.images, POOLED_VIEWS))
    fitter = Fitter(
        split, backbone.channels, frontend.spec, config.fit, config.seed, checkpoints / "final.npz"
    )
    if fitter.history:  # a kill may have come between checkpoint and log
        on_epoch("final", fitter.epoch, selected.epochs, fitter.history[-1])
    fitter.run(
        selected.epochs, lambda epoch, _, row: on_epoch("final", epoch, selected.epochs, row)
    )
    fitter.heads.set_gain(selected.gain)
    background = replace(background, images=tuple(pool_images(tail, background.images)))
    gallery = _gallery(fitter, samples.species, split, background, selected)
    _write(folder, config, dataset, backbone, frontend, features, selected, fitter, gallery)
    reporter.say(
        f"out of fold, {FOLDS} folds by recording; {selected.epochs} epochs and a gain of "
        f"{selected.gain:g} were chosen:\n"
        f"{to_table(selected.report, [sense for sense in SENSES if config.reads(sense)])}"
    )
    draw_curves(history.rows(), folder / "curves.png")
    draw_confusion(selected.predictions, dataset.labels, folder / "confusion.png")


def _check_data(path: Path, weights: Sequence[str], *features: FeatureSet) -> None:
    """Refuse to go on with checkpoints of other files, or of another base or frontend."""
    files = [
        [feature.sample.label, feature.sample.recording, feature.cached.name]
        for found in features
        for feature in (*found.images, *found.audio)
    ]
    digest = hashlib.sha256(json.dumps([weights, files]).encode()).hexdigest().encode()
    if path.exists() and path.read_bytes() != digest:
        raise InputError(
            f"{path.parents[1]}: the data or the weights changed since this run was "
            "begun; add --force to start anew"
        )
    atomic.write_file(path, digest)


def _gallery(
    fitter: Fitter,
    species: Sequence[Species],
    split: Split,
    background: FeatureSet,
    selected: Selected,
) -> Gallery:
    heads = fitter.heads
    made = build_gallery(
        heads.fusion_weights().fuse,
        species,
        heads.embed_images(split.images),
        split.image_labels,
        heads.embed_audio(split.audio),
        split.audio_labels,
        selected.calibration,
    )
    made = with_background(
        made,
        heads.fusion_weights().fuse,
        heads.embed_images(background.images),
        heads.embed_audio(background.audio),
    )
    return replace(made, thresholds=selected.thresholds)


def _write(
    folder: Path,
    config: TrainConfig,
    dataset: Dataset,
    backbone: Backbone,
    frontend: Frontend,
    features: FeatureSet,
    selected: Selected,
    fitter: Fitter,
    gallery: Gallery,
) -> None:
    """Write all else that export needs: the data may be gone by then."""
    atomic.write_file(folder / "species.npz", gallery.dump())
    fitter.save_weights(folder / "heads.npz")
    if config.image_weights:
        shutil.copyfile(config.image_weights, folder / "image.weights.h5")
    atomic.write_file(
        folder / "cv.json",
        json.dumps(
            {
                **selected.report.to_json(),
                "seed": config.seed,
                "epochs": selected.epochs,
                "gain": selected.gain,
            },
            indent=1,
        ).encode(),
    )
    summary = {
        "format": FORMAT,
        "image_backbone": backbone.name,
        "backbone_key": backbone.key,
        "own_image_weights": config.image_weights is not None,
        Sense.IMAGE: {
            "size_px": backbone.spec.size_px,
            "order": backbone.spec.order,
            "mean": list(backbone.spec.mean),
            "scale": backbone.spec.scale,
        },
        "channels": backbone.channels,
        "frontend": {"name": frontend.spec.name, "sha256": frontend.sha256},
        Sense.AUDIO: frontend.spec.to_json(),
        "calibration": selected.calibration.to_json(),
        "seed": config.seed,
        "fit": {**asdict(config.fit), "epochs": selected.epochs, "gain": selected.gain},
        "data": {
            "species": len(dataset.species),
            "photographs": len(features.images),
            "recordings": len(features.audio),
            "skipped": len(features.problems),
        },
        "senses": config.senses,
        "data_licence": config.licence,
        "licences": [
            backbone.licence,
            *LICENCES,
            *([BIRDNET_LICENCE] if frontend.spec is BIRDNET else []),
        ],
    }
    atomic.write_file(folder / "run.json", json.dumps(summary, indent=1).encode())
