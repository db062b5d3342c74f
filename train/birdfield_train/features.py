"""What the frozen parts make of each file, cached on disk by content and model."""

import hashlib
import io
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.errors import InputError
from birdfield.model.frontend import Frontend
from birdfield.model.sense import Sense
from birdfield.paths import cache_home, file_sha256
from birdfield.recognise.dataset import Dataset, Sample
from birdfield.recognise.embed import read_photograph
from birdfield.signals.audio import read_audio
from birdfield.signals.image import preprocess
from birdfield.signals.usability import window_fault
from birdfield_train.augment import augment
from birdfield_train.augment_sound import augment_sound
from birdfield_train.backbones import Backbone, Tuning
from birdfield_train.towers import pool_features

BATCH = 16  # pictures in memory at a time
VERSIONS = 3  # of a recording beside the plain one
FORMAT = "2"  # part of every cache key; another reading of files takes another number

Progress = Callable[[str, int, int], None]  # what is done, how many, of how many

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Feature:
    """A sample and the cached output of the frozen part for it, read when it is needed.

    Attributes:
        sample: Its file.
        cached: The frozen part's output.
        tuned: What a fine-tuned tail made of its first views, [V, 2 C]; None where nothing is
            fine-tuned.
    """

    sample: Sample
    cached: Path
    tuned: NDArray[np.float32] | None = None

    def load(self) -> NDArray[np.float32]:
        """Read it: pooled maps [2 C] of a photograph, patch embeddings [T, dim] of a recording."""
        if self.tuned is not None:
            plain: NDArray[np.float32] = self.tuned[0]
            return plain
        kept = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        # A copy: a mapped file that is replaced would take the process with it.
        return np.array(kept[0] if kept.ndim == 3 else kept, np.float32)

    def load_version(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Read any version of a recording, [T, dim]; the plain one where there is no other."""
        kept = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        return np.array(kept[int(rng.integers(len(kept)))] if kept.ndim == 3 else kept, np.float32)

    def load_versions(self) -> NDArray[np.float32]:
        """Read all versions of a recording, [V, T, dim]; the plain one is the first."""
        kept = np.asarray(np.load(self.cached, allow_pickle=False), np.float32)
        return kept.reshape(-1, *kept.shape[-2:])

    def load_pooled(self) -> NDArray[np.float32]:
        """Read the pooled maps of all views there are, [V, 2 C]; the plain one is the first."""
        return self.load()[None] if self.tuned is None else self.tuned

    def load_view(self, view: int) -> NDArray[np.float32]:
        """Read the maps [h, w, c] of one view of a photograph; 0 is the plain one."""
        views = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        return np.array(views[view], np.float32)


@dataclass(frozen=True)
class FeatureSet:
    """The usable files of a dataset and the problems of the others, one sentence each."""

    images: tuple[Feature, ...]
    audio: tuple[Feature, ...]
    problems: tuple[str, ...]


def extract(
    dataset: Dataset,
    backbone: Backbone,
    frontend: Frontend,
    progress: Progress,
    noises: Sequence[Path] = (),
) -> FeatureSet:
    """Run the frozen parts over every file that the cache does not know.

    Args:
        dataset: Photographs and recordings.
        backbone: The convolutional base.
        frontend: What reads the sound.
        progress: Told after each file.
        noises: Recordings without a bird, for other versions of each recording; without any
            there are none.
    """
    problems = [
        f"{path}: not a file of this data set; expected <Species>/<name>.<a known ending>"
        for path in dataset.misnamed
    ]
    tuning = backbone.tuning
    image_key, look = (
        (f"views{tuning.views}-{backbone.key}-{tuning.after}", _Views(backbone, tuning))
        if tuning
        else (f"image-{backbone.key}", _PooledMaps(backbone))
    )
    images = _extract(dataset.images, image_key, look, problems, progress)
    audio_key = f"{frontend.sha256[:16]}-{frontend.spec.hop}"
    if frontend.spec.class_dim:
        audio_key += f"-evidence{frontend.spec.class_dim}"
    if not frontend.spec.padded:
        audio_key += "-whole"
    audio_key, hear = (
        (f"versions{VERSIONS}-{_noise_key(noises)}-{audio_key}", _Versions(frontend, noises))
        if noises
        else (f"audio-{audio_key}", _PatchEmbeddings(frontend))
    )
    audio = _extract(dataset.audio, audio_key, hear, problems, progress)
    return FeatureSet(tuple(images), tuple(audio), tuple(problems))


def _extract(
    samples: Sequence[Sample], model_key: str, compute: Any, problems: list[str], progress: Progress
) -> list[Feature]:
    folder = cache_home() / "features" / f"{FORMAT}-{model_key}"
    folder.mkdir(parents=True, exist_ok=True)
    features: list[Feature] = []
    first: dict[str, Path] = {}  # of equal files: the others would be in training and test at once
    # A recording may be an hour long and has no batch to be part of: one is in memory at a time.
    size = BATCH if compute.together else 1
    for start in range(0, len(samples), size):
        waiting: list[tuple[Feature, Any]] = []
        for sample in samples[start : start + size]:
            try:
                content = _content_key(sample.path)
                if content in first:
                    raise InputError(
                        f"{sample.path}: the same file as {first[content]}; remove one of them"
                    )
                feature = Feature(sample, folder / f"{content}.npy")
                if not feature.cached.exists():
                    waiting.append((feature, compute.read(sample.path)))
                features.append(feature)
                first[content] = sample.path
            except InputError as error:
                problems.append(str(error))
        if waiting:
            outputs = compute([content for _, content in waiting])
            for (feature, _), output in zip(waiting, outputs, strict=True):
                _save(feature.cached, output)
        progress(
            "photographs" if samples[0].sense == Sense.IMAGE else "recordings",
            min(start + size, len(samples)),
            len(samples),
        )
    return features


def _content_key(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _noise_key(noises: Sequence[Path]) -> str:
    return hashlib.sha256("".join(map(file_sha256, noises)).encode()).hexdigest()[:16]


def _save(path: Path, values: NDArray[np.float32]) -> None:
    buffer = io.BytesIO()
    limit = float(np.finfo(np.float16).max)
    np.save(buffer, values.clip(-limit, limit).astype(np.float16), allow_pickle=False)
    atomic.write_file(path, buffer.getvalue())


class _PooledMaps:
    """Photographs to the mean and the peak of the base's last maps."""

    together = True

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._model: keras.Model | None = None

    def read(self, path: Path) -> NDArray[np.float32]:
        return preprocess(read_photograph(path), self._backbone.spec)

    def __call__(self, images: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if self._model is None:  # built only when the cache lacks something
            base = self._backbone.build()
            pooled = keras.layers.Concatenate()(pool_features(base.output))
            self._model = keras.Model(base.input, pooled)
        # One batch size, so that the graph is traced once.
        batch = np.zeros((BATCH, *images[0].shape), np.float32)
        batch[: len(images)] = images
        return np.asarray(self._model.predict_on_batch(batch))[: len(images)]


class _Views:
    """Photographs to the maps before the base's tail, of the plain picture and of others."""

    together = True

    def __init__(self, backbone: Backbone, tuning: Tuning) -> None:
        self._backbone, self._tuning = backbone, tuning
        self._model: keras.Model | None = None

    def read(self, path: Path) -> NDArray[np.float32]:
        image = read_photograph(path)
        rng = np.random.default_rng(zlib.crc32(image.tobytes()))
        return np.stack(
            [
                preprocess(view, self._backbone.spec)
                for view in (image, *(augment(image, rng) for _ in range(self._tuning.views)))
            ]
        )

    def __call__(self, images: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if self._model is None:
            base = self._backbone.build()
            self._model = keras.Model(base.input, base.get_layer(self._tuning.after).output)
        return [np.asarray(self._model.predict_on_batch(views)) for views in images]


class _PatchEmbeddings:
    """Recordings to their frontend's embeddings."""

    together = False

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend

    def read(self, path: Path) -> NDArray[np.float32]:
        waveform = read_audio(path, self._frontend.spec.rate_hz)
        fault = window_fault(waveform)
        if fault:
            raise InputError(f"{path}: the recording is {fault}; expected the sound of a bird")
        return waveform

    def __call__(self, waveforms: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [self._frontend.embed(waveform) for waveform in waveforms]


class _Versions(_PatchEmbeddings):
    """Recordings to the embeddings of the plain one and of VERSIONS others, [V, T, dim]."""

    def __init__(self, frontend: Frontend, noises: Sequence[Path]) -> None:
        super().__init__(frontend)
        self._noises = noises

    def read(self, path: Path) -> NDArray[np.float32]:
        waveform = super().read(path)
        rng = np.random.default_rng(zlib.crc32(waveform.tobytes()))
        rate_hz = self._frontend.spec.rate_hz
        return np.stack(
            [
                waveform,
                *(augment_sound(waveform, rate_hz, self._noises, rng) for _ in range(VERSIONS)),
            ]
        )

    def __call__(self, waveforms: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [np.stack(super(_Versions, self).__call__(list(versions))) for versions in waveforms]
