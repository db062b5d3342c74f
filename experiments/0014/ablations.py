"""Record 0014: top-1 by loss, mining, margin, pooling, pairs, tokens and fusion.

    python experiments/0014/ablations.py DATA OUT.csv 0 1 2

DATA contains train/{images,audio}/<Species>/ and negatives/audio, the noise for the recordings'
other versions. The script trains each variant of the heads for two epochs on the frozen
EfficientNet-Lite0 and on YAMNet, and scores it out of fold, for the given seeds (0, 1 and 2) of
folds, batches and pairs, with a gain of 0.45 for `both`. It keeps features in memory, and appends
the rows of each fold to OUT.csv: right answers by sense, their number, and how many only this
variant and only "as now" has right. It skips folds that OUT.csv contains. At the end it prints
top-1, mean and standard deviation over seeds; without a seed it only prints.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.evaluate.scores import EvaluationScores, score
from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import DIM, unit
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import Dataset, scan_dataset, scan_flat
from birdfield.recognise.embed import read_photograph
from birdfield.signals.image import preprocess
from birdfield_train import batches
from birdfield_train.backbones import get_backbone
from birdfield_train.batches import BatchMaker
from birdfield_train.extractors import extractors_of
from birdfield_train.factory import build_gallery
from birdfield_train.features import Feature, FeatureSet, extract
from birdfield_train.fit import FitConfig, FitSetup, Fitter
from birdfield_train.heads import IMAGE_PEAK_WEIGHT, Heads
from birdfield_train.losses import pair_masks, triplet_loss
from birdfield_train.projection import alignment
from birdfield_train.samples import FOLDS, IndexedSamples, Split, index_samples
from birdfield_train.towers import set_projection

EPOCHS, GAIN = 2, 0.45
VERSIONS = 2  # of a recording: the plain one and one other
POOLINGS = {
    "mean and max": ("mean", "max"),
    "mean": ("mean",),
    "max": ("max",),
    "GeM": ("gem",),
    "GeM and max": ("gem", "max"),
}
GEM_POWER = 3.0
NONE = np.zeros(0, np.int64)  # labels
BATCH = 32  # photographs in the base at a time
FAST = 100  # learning rate of proxies, and of tokens in one variant, over that of the towers
TEMPERATURE = 0.2  # of the normalised softmax (arXiv 1811.12649), as in `Tuning`
ALPHA, BETA, BASE, MINED = 2.0, 50.0, 0.5, 0.1  # multi-similarity (arXiv 1904.06627, 4)
SCALE, DELTA = 32.0, 0.1  # proxy-anchor (arXiv 2003.13911, 4.2)

Weights = list[NDArray[np.float32]]
Starts = dict[str, Weights]  # of the heads, by pooling
Results = dict[str, dict[str, NDArray[np.bool_]]]  # by variant and sense, whether it is right


@dataclass(frozen=True)
class Variant:
    """One way to train the heads, with the product's settings as defaults."""

    group: str
    name: str
    config: FitConfig = field(default_factory=FitConfig)
    epochs: int = EPOCHS
    loss: str = "triplet"
    pooling: str = "mean and max"
    both_share: float = batches.BOTH_SHARE
    tokens: str = "learnt"  # "zeros", or "fast": FAST times as fast as the rest
    concatenated: bool = False
    senses: tuple[str, ...] = ("image", "audio")


NOW, LATE = "as now: as now", "fusion: late"
AS_NOW = Variant("as now", "as now")
VARIANTS = (
    AS_NOW,
    Variant("loss", "none, the start alone", epochs=0),
    Variant("loss", "hard in place of semi-hard", FitConfig(semi_hard_epochs=0)),
    Variant("loss", "multi-similarity", loss="multi-similarity"),
    Variant("loss", "proxy-anchor beside triplets", loss="proxy-anchor"),
    Variant("loss", "normalised softmax beside triplets", loss="softmax"),
    Variant("rate", "as now at 3e-4", FitConfig(learning_rate=3e-4)),
    Variant(
        "rate", "softmax beside triplets at 3e-4", FitConfig(learning_rate=3e-4), loss="softmax"
    ),
    *(Variant("margin", f"{margin:g}", FitConfig(margin=margin)) for margin in (0.05, 0.15, 0.2)),
    *(Variant("image pooling", name, pooling=name) for name in list(POOLINGS)[1:]),
    *(Variant("share of both", f"{share:g}", both_share=share) for share in (1.0, 0.25)),
    Variant("token", "zeros", tokens="zeros"),
    Variant("token", f"learns {FAST} times as fast", tokens="fast"),
    Variant("fusion", "concatenated, a linear layer", concatenated=True),
    Variant("alone", "image", senses=("image",)),
    Variant("alone", "audio", senses=("audio",)),
)


@dataclass(frozen=True)
class Recording(Feature):
    """A recording with its versions in memory, float32 [V, T, dim]."""

    versions: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))

    def load(self) -> NDArray[np.float32]:
        return np.asarray(self.versions[0])

    def load_version(self, rng: np.random.Generator) -> NDArray[np.float32]:
        return np.asarray(self.versions[int(rng.integers(len(self.versions)))])

    def load_versions(self) -> NDArray[np.float32]:
        return self.versions


def hear(dataset: Dataset, noise_dir: Path) -> list[Feature]:
    """Return the recordings with the embeddings of their versions, cached where possible."""
    noises = [sample.path for sample in scan_flat(noise_dir, Sense.AUDIO)[0]]
    extractors = extractors_of(
        get_backbone("efficientnet-lite0"), open_frontend("yamnet", PACKAGED_YAMNET), noises
    )
    found = extract(replace(dataset, images=()), extractors, lambda *_: None)
    return [
        Recording(feature.sample, feature.cached, versions=feature.load_versions()[:VERSIONS])
        for feature in found.audio
    ]


def look(dataset: Dataset) -> dict[str, list[Feature]]:
    """Return the pooled features of the plain photographs by the frozen base, by pooling."""
    backbone = get_backbone("efficientnet-lite0")
    base = backbone.build()
    pooled: dict[str, list[NDArray[np.float32]]] = {"mean": [], "max": [], "gem": []}
    for start in range(0, len(dataset.images), BATCH):
        maps = base.predict_on_batch(
            np.stack(
                [
                    preprocess(read_photograph(sample.path), backbone.spec)
                    for sample in dataset.images[start : start + BATCH]
                ]
            )
        )
        pooled["mean"] += list(maps.mean(axis=(1, 2)))
        pooled["max"] += list(maps.max(axis=(1, 2)))
        pooled["gem"] += list((maps**GEM_POWER).mean(axis=(1, 2)) ** (1 / GEM_POWER))
    return {
        name: [
            Feature(sample, Path(), tuned=_side_by_side([pooled[part][row] for part in own]))
            for row, sample in enumerate(dataset.images)
        ]
        for name, own in POOLINGS.items()
    }


def _side_by_side(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join one or two poolings in the place of mean and peak."""
    if len(parts) == 1:  # the start weights the second half as peaks: undo that
        first, second = np.split(parts[0], 2)
        parts = [first, second / IMAGE_PEAK_WEIGHT]
    return np.concatenate(parts).astype(np.float32)


def multi_similarity(
    embeddings: tf.Tensor, positives: tf.Tensor, negatives: tf.Tensor
) -> tf.Tensor:
    """Return the multi-similarity loss, which weights mined pairs by their similarity."""
    cosine = tf.matmul(embeddings, embeddings, transpose_b=True)
    nearest = tf.reduce_max(tf.where(negatives, cosine, -2.0), axis=1, keepdims=True)
    furthest = tf.reduce_min(tf.where(positives, cosine, 2.0), axis=1, keepdims=True)
    pulled = tf.cast(positives & (cosine < nearest + MINED), tf.float32)
    pushed = tf.cast(negatives & (cosine > furthest - MINED), tf.float32)
    pull = tf.math.log1p(tf.reduce_sum(pulled * tf.exp(-ALPHA * (cosine - BASE)), axis=1))
    push = tf.math.log1p(tf.reduce_sum(pushed * tf.exp(BETA * (cosine - BASE)), axis=1))
    return tf.reduce_mean(pull / ALPHA + push / BETA)


def proxy_anchor(embeddings: tf.Tensor, labels: tf.Tensor, proxies: tf.Tensor) -> tf.Tensor:
    """Return the proxy-anchor loss: proxies attract their samples and repel all others."""
    cosine = tf.matmul(embeddings, tf.math.l2_normalize(proxies, 1), transpose_b=True)
    own = tf.one_hot(labels, tf.shape(proxies)[0])
    pull = tf.math.log1p(tf.reduce_sum(own * tf.exp(-SCALE * (cosine - DELTA)), axis=0))
    push = tf.math.log1p(tf.reduce_sum((1 - own) * tf.exp(SCALE * (cosine + DELTA)), axis=0))
    there = tf.reduce_sum(tf.cast(tf.reduce_any(own > 0, axis=0), tf.float32))
    return tf.reduce_sum(pull) / there + tf.reduce_mean(push)


def softmax(embeddings: tf.Tensor, labels: tf.Tensor, proxies: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy of a classification by the cosine to the species' proxies."""
    cosine = tf.matmul(embeddings, tf.math.l2_normalize(proxies, 1), transpose_b=True)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, cosine / TEMPERATURE)
    )


HELPERS = {"proxy-anchor": proxy_anchor, "softmax": softmax}


class VariantFitter(Fitter):
    """A fitter of one variant for every fold, so that its graphs are traced only once."""

    def __init__(self, variant: Variant, channels: int, species: int) -> None:
        super().__init__(
            Split([], [], NONE, NONE, species), FitSetup(channels, YAMNET, variant.config, 0)
        )
        self.variant, self._channels = variant, channels
        self._fusion = self.heads.fusion.get_layer("sense_fusion")
        tokens = [self._fusion.image_token, self._fusion.audio_token]
        taken = [] if variant.tokens == "learnt" else [id(token) for token in tokens]
        self._slow = [weight for weight in self.heads.trainable if id(weight) not in taken]
        self._proxies = tf.Variable(np.zeros((species, DIM), np.float32))
        self._quick = [self._proxies] * (variant.loss in HELPERS) + tokens * (
            variant.tokens == "fast"
        )
        self._runner = keras.optimizers.Adam(variant.config.learning_rate)
        self._runner.build(self._slow)
        self._sprinter = keras.optimizers.Adam(FAST * variant.config.learning_rate)
        self._sprinter.build(self._quick)
        self._state = [*self._runner.variables, *self._sprinter.variables]
        self._fresh = [np.asarray(value) for value in self._state]

    def begin(self, split: Split, start: Weights, seed: int) -> None:
        """Reset all weights and start on another split."""
        self._seed, self.epoch, self.history = seed, 0, []
        self._maker = BatchMaker(
            split,
            self._config.species_per_batch,
            self._config.samples_per_species,
            self._channels,
            YAMNET,
        )
        self.heads.set_weights(start)
        for value, fresh in zip(self._state, self._fresh, strict=True):
            value.assign(fresh)
        if self.variant.concatenated:
            layer = keras.initializers.GlorotUniform(seed)((2 * DIM, DIM))
            self._fusion.image_kernel.assign(layer[:DIM])
            self._fusion.audio_kernel.assign(layer[DIM:])
        if self.variant.loss in HELPERS:
            gallery = build_gallery(
                self.heads.fusion_weights().fuse,
                [Species("")] * split.species,
                *self.heads.embed_split(split),
            )
            self._proxies.assign(
                unit(
                    np.stack(
                        [
                            gallery.vectors[gallery.owner == row].mean(axis=0)
                            for row in range(split.species)
                        ]
                    )
                )
            )

    def _step(
        self,
        mining: str,
        pooled: tf.Tensor,
        sequences: tf.Tensor,
        presence: tf.Tensor,
        labels: tf.Tensor,
        recordings: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        positives, negatives = pair_masks(labels, recordings)
        with tf.GradientTape() as tape:
            embeddings = self.heads(pooled, sequences, presence)
            measured = triplet_loss(embeddings, positives, negatives, self._config.margin, mining)
            loss = measured["loss"]
            if self.variant.loss == "multi-similarity":
                loss = multi_similarity(embeddings, positives, negatives)
            elif self.variant.loss in HELPERS:
                loss += HELPERS[self.variant.loss](embeddings, labels, self._proxies)
        found = tape.gradient(loss, self._slow + self._quick, unconnected_gradients="zero")
        self._runner.apply(found[: len(self._slow)], self._slow)
        if self._quick:
            self._sprinter.apply(found[len(self._slow) :], self._quick)
        centre = tf.reduce_mean(embeddings, axis=0, keepdims=True)
        return {**measured, "spread": tf.reduce_mean(tf.norm(embeddings - centre, axis=1))}


def with_pooling(started: Heads, heads: Heads, split: Split) -> Weights:
    """Start the image side of new heads on other features; rotate the audio side onto it."""
    heads.start(of_senses(split, ("image",)))
    heads.audio.set_weights(started.audio.get_weights())
    seen, heard = heads.embed_images(split.images), started.embed_audio(split.audio)
    shared = np.intersect1d(split.image_labels, split.audio_labels)
    rotation = alignment(
        *(
            unit(np.stack([vectors[labels == row].mean(axis=0) for row in shared]))
            for vectors, labels in ((heard, split.audio_labels), (seen, split.image_labels))
        )
    )
    (mean, bias), (peak,) = (
        heads.audio.get_layer(f"audio_{kind}_projection").get_weights() for kind in ("mean", "peak")
    )
    kernel = np.concatenate([mean, peak]) @ rotation
    set_projection(heads.audio, Sense.AUDIO, kernel, bias @ rotation)
    return heads.get_weights()


def of_senses(split: Split, senses: tuple[str, ...]) -> Split:
    """Return a split with the samples of some senses only."""
    if "image" not in senses:
        return replace(split, images=[], image_labels=NONE)
    return split if "audio" in senses else replace(split, audio=[], audio_labels=NONE)


def score_fold(
    samples: IndexedSamples,
    split: Split,
    fold: int,
    heads: Heads,
    senses: tuple[str, ...],
    seed: int,
) -> EvaluationScores:
    """Score the held-out fold with prototypes of the other folds."""
    fuse = heads.fusion_weights().with_gain(GAIN).fuse
    gallery = build_gallery(fuse, samples.species, *heads.embed_split(split))
    tested: list[LabelledEmbeddings] = []
    for sense, embed in ((Sense.IMAGE, heads.embed_images), (Sense.AUDIO, heads.embed_audio)):
        rows = samples.tested(sense, fold)[: None if sense in senses else 0]
        tested.append(
            LabelledEmbeddings(
                embed([samples.features[sense][int(row)] for row in rows]),
                samples.labels[sense][rows],
                samples.recordings[sense][rows],
            )
        )
    images, audio = tested
    return score(fuse, gallery, images, audio, seed)


class Ablations:
    """The fitters of all variants, and their data."""

    def __init__(
        self, dataset: Dataset, images: Mapping[str, list[Feature]], audio: list[Feature]
    ) -> None:
        self._dataset, self._images, self._audio = dataset, images, audio
        self._channels = {name: len(found[0].load()) // 2 for name, found in images.items()}
        self._fitters = [
            VariantFitter(variant, self._channels[variant.pooling], len(dataset.species))
            for variant in VARIANTS
        ]

    def run(self, seed: int, fold: int) -> Results:
        """Fit and score every variant in one fold."""
        found: Results = {}
        starts: Starts = {}
        for fitter in self._fitters:
            variant = fitter.variant
            samples = index_samples(
                FeatureSet(tuple(self._images[variant.pooling]), tuple(self._audio), ()),
                self._dataset.species,
                seed,
            )
            whole = samples.split(fold)
            if variant.pooling not in starts:
                starts[variant.pooling] = self._start(
                    variant.pooling, whole, seed + 1 + fold, starts
                )
            split = of_senses(whole, variant.senses)
            fitter.begin(split, starts[variant.pooling], seed + 1 + fold)
            with patch.object(batches, "BOTH_SHARE", variant.both_share):
                fitter.run(variant.epochs, lambda *_: None)
            scored = score_fold(samples, split, fold, fitter.heads, variant.senses, seed)
            found[f"{variant.group}: {variant.name}"] = {
                sense: getattr(scored, sense).correct for sense in SENSES
            }
            if variant is AS_NOW:
                late = (scored.pairs_by_image + GAIN * scored.pairs_by_audio).argmax(axis=1)
                found[LATE] = {**found[NOW], "both": late == scored.both.labels}
        return found

    def _start(self, pooling: str, split: Split, seed: int, starts: Starts) -> Weights:
        keras.utils.set_random_seed(seed)
        heads = Heads(self._channels[pooling], YAMNET)
        if not starts:
            heads.start(split)
            return heads.get_weights()
        started = Heads(self._channels[AS_NOW.pooling], YAMNET)
        started.set_weights(starts[AS_NOW.pooling])
        return with_pooling(started, heads, split)


def rows_of(seed: int, fold: int, found: Results) -> list[list[object]]:
    """Return each variant's right answers, and those that only it or only "as now" has right."""
    rows = []
    for name, senses in found.items():
        row: list[object] = [seed, fold, name]
        for sense, right in senses.items():
            now = found[NOW][sense][: len(right)]
            row += [
                int(right.sum()),
                len(right),
                int((right & ~now).sum()),
                int((now & ~right).sum()),
            ]
        rows.append(row)
    return rows


def summarise(path: Path) -> None:
    """Print top-1 by sense and its difference in points, mean and deviation over seeds.

    The interval is the mean over seeds, for paired answers that are assumed independent.
    """
    counts: dict[tuple[str, str], NDArray[np.float64]] = {}
    for seed, _, name, *numbers in list(csv.reader(path.open()))[1:]:
        counts.setdefault((name, seed), np.zeros((3, 4)))
        counts[name, seed] += np.array(numbers, float).reshape(3, 4)
    for variant in dict.fromkeys(name for name, _ in counts):
        table = np.stack([found for (name, _), found in counts.items() if name == variant])
        right, n, won, lost = np.moveaxis(table, 2, 0)  # [seeds, senses] each
        top1, apart = right / np.maximum(n, 1), 100 * (won - lost) / np.maximum(n, 1)
        width = (
            196
            * np.sqrt(np.maximum(won + lost - (won - lost) ** 2 / np.maximum(n, 1), 0)).mean(axis=0)
            / np.maximum(n.mean(axis=0), 1)
        )
        print(
            variant,
            *(
                f"{top1[:, row].mean():.3f} ± {top1[:, row].std(ddof=1):.3f} "
                f"({apart[:, row].mean():+.1f} ± {apart[:, row].std(ddof=1):.1f}, "
                f"95 % ± {width[row]:.1f}, n {n[:, row].mean():.0f})"
                if n[:, row].any()
                else "-"
                for row in range(3)
            ),
            sep=" | ",
        )


def main(data: str, out: str, *seeds: str) -> None:
    """Measure every variant in every fold."""
    root, path = Path(data), Path(out)
    dataset = scan_dataset(root / "train" / "images", root / "train" / "audio")
    if not path.exists():
        path.write_text(
            ",".join(
                [
                    "seed",
                    "fold",
                    "variant",
                    *(
                        f"{sense}_{what}"
                        for sense in SENSES
                        for what in ("right", "n", "won", "lost")
                    ),
                ]
            )
            + "\n"
        )
    done = {tuple(row[:2]) for row in csv.reader(path.open())}
    if seeds:
        ablations = Ablations(dataset, look(dataset), hear(dataset, root / "negatives" / "audio"))
    for fold, seed in product(range(FOLDS), seeds):
        if (seed, str(fold)) not in done:
            rows = rows_of(int(seed), fold, ablations.run(int(seed), fold))
            with path.open("a", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(rows)
    summarise(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
