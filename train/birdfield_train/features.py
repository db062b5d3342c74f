"""Features: the outputs of fixed networks for each file, cached on disk by content and key."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.errors import InputError
from birdfield.model.sense import Sense
from birdfield.paths import cache_home, file_sha256
from birdfield.recognise.dataset import MEDIA_NAMES, Dataset, Sample
from birdfield_train.extractor import FeatureExtractor

FORMAT = "2"  # part of every cache key; change it when files are read differently

Progress = Callable[[str, int, int], None]  # kind of files, number done, total


@dataclass(frozen=True)
class Feature:
    """A sample and the file that caches its features, which are loaded when needed.

    Attributes:
        sample: The sample.
        cached: The cache file.
        tuned: Pooled maps of the first views by a fine-tuned tail, [V, 2 C]; None when the base is
            frozen.
    """

    sample: Sample
    cached: Path
    tuned: NDArray[np.float32] | None = None

    def load(self) -> NDArray[np.float32]:
        """Load the pooled maps [2 C] of a photograph, or the embeddings [T, dim] of a recording."""
        if self.tuned is not None:
            plain: NDArray[np.float32] = self.tuned[0]
            return plain
        kept = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        # A copy, because the process crashes when a mapped file is replaced.
        return np.array(kept[0] if kept.ndim == 3 else kept, np.float32)

    def load_version(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Load a random version of a recording, [T, dim]; the plain one when there is no other."""
        kept = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        return np.array(kept[int(rng.integers(len(kept)))] if kept.ndim == 3 else kept, np.float32)

    def load_versions(self) -> NDArray[np.float32]:
        """Load all versions of a recording, [V, T, dim]; the first is plain."""
        kept = np.asarray(np.load(self.cached, allow_pickle=False), np.float32)
        return kept.reshape(-1, *kept.shape[-2:])

    def load_pooled(self) -> NDArray[np.float32]:
        """Load the pooled maps of all views of a photograph, [V, 2 C]; the first is plain."""
        return self.load()[None] if self.tuned is None else self.tuned

    def load_view(self, view: int) -> NDArray[np.float32]:
        """Load the maps [h, w, c] of one view of a photograph; view 0 is plain."""
        views = np.load(self.cached, mmap_mode="r", allow_pickle=False)
        return np.array(views[view], np.float32)


@dataclass(frozen=True)
class FeatureSet:
    """The features of the usable files, and one sentence about each unusable file."""

    images: tuple[Feature, ...]
    audio: tuple[Feature, ...]
    problems: tuple[str, ...]


NO_FEATURES = FeatureSet((), (), ())


def extract(
    dataset: Dataset, extractors: Mapping[Sense, FeatureExtractor], progress: Progress
) -> FeatureSet:
    """Compute the features of all files that the cache lacks.

    Args:
        dataset: Photographs and recordings.
        extractors: By sense, what computes the features.
        progress: Called after each group of files.
    """
    problems = [
        f"{path}: not a file of this data set; expected SPECIES/NAME with a known ending"
        for path in dataset.misnamed
    ]
    images, audio = (
        _extract(dataset.samples(sense), extractors[sense], problems, progress)
        for sense in (Sense.IMAGE, Sense.AUDIO)
    )
    return FeatureSet(images, audio, tuple(problems))


def _extract(
    samples: Sequence[Sample],
    extractor: FeatureExtractor,
    problems: list[str],
    progress: Progress,
) -> tuple[Feature, ...]:
    folder = cache_home() / "features" / f"{FORMAT}-{extractor.key}"
    folder.mkdir(parents=True, exist_ok=True)
    features: list[Feature] = []
    first: dict[str, Path] = {}  # by content: a copy must not be in training and in the test
    for start in range(0, len(samples), extractor.batch_size):
        missing: list[tuple[Path, NDArray[np.float32]]] = []
        for sample in samples[start : start + extractor.batch_size]:
            try:
                content = _content_key(sample.path)
                if content in first:
                    raise InputError(
                        f"{sample.path}: the same file as {first[content]}; remove one of them"
                    )
                feature = Feature(sample, folder / f"{content}.npy")
                if not feature.cached.exists():
                    missing.append((feature.cached, extractor.read(sample.path)))
                features.append(feature)
                first[content] = sample.path
            except InputError as error:
                problems.append(str(error))
        _compute(extractor, missing)
        done = min(start + extractor.batch_size, len(samples))
        progress(MEDIA_NAMES[samples[0].sense], done, len(samples))
    return tuple(features)


def _compute(
    extractor: FeatureExtractor, missing: Sequence[tuple[Path, NDArray[np.float32]]]
) -> None:
    """Compute and cache the features of inputs, by cache file."""
    if missing:
        outputs = extractor.compute([values for _, values in missing])
        for (path, _), output in zip(missing, outputs, strict=True):
            _save(path, output)


def _content_key(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _save(path: Path, values: NDArray[np.float32]) -> None:
    """Write values as float16; what exceeds its range is clipped."""
    buffer = io.BytesIO()
    limit = float(np.finfo(np.float16).max)
    np.save(buffer, values.clip(-limit, limit).astype(np.float16), allow_pickle=False)
    atomic.write_file(path, buffer.getvalue())
