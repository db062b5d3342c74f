"""Noise test: measures top-1 with noisy sound, with damaged photographs, and with both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.evaluate.figures import NoiseFigures
from birdfield.evaluate.files import EmbeddedFiles, Progress
from birdfield.evaluate.metrics import mean
from birdfield.evaluate.noise_files import Noises
from birdfield.evaluate.pairs import LabelledEmbeddings, Pairs, draw_pairs
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.recognise.decide import combined_sense
from birdfield.recognise.embed import (
    NO_SAMPLE,
    EmbeddedSample,
    embed_frame,
    embed_recording,
    pool_samples,
)
from birdfield.signals.audio import Waveform, read_audio, read_beginning
from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.image import Frame, read_image
from birdfield.signals.noise import mix_noise
from birdfield.signals.usability import frame_fault

SNRS_DB = (20, 10, 5, 0, -5)
MAX_PAIRS = 100
MAX_MIXES = 3000  # noisy recordings to embed: about 4 minutes at 40 ms a window
EXCERPT_S = 10.0  # of each recording: two windows
MAX_SIDE_PX = 480  # shorter side of a photograph, as a camera's, so that damage compares
NO_ANSWER = -1  # the answer when neither sense is usable

Condition = tuple[str, int | None]  # a kind of noise, and the signal-to-noise ratio in dB
CLEAN: Condition = ("none", None)
SampleByRow = dict[int, EmbeddedSample | None]  # None where the sense is not usable


@dataclass(frozen=True)
class NoiseTest:
    """A test of a model under each kind and level of noise and each damage.

    It draws at most MAX_PAIRS pairs, an equal number of each species as far as possible, and cuts
    recordings to their first EXCERPT_S. It embeds each photograph at each damage and each
    recording at each noise, and fuses the embeddings in all combinations. Where that needs more
    than MAX_MIXES noisy recordings, each kind of noise has an equal share of the recordings; 30
    kinds take less than six minutes on two cores. A recording has the same excerpt of the same
    noise file at all levels.

    As in `watch`, an unusable sense is absent: the other sense answers. Without a usable sense the
    answer is wrong.

    Attributes:
        encoder: The model's encoder.
        gallery: Its gallery.
        noises: Noise files by kind.
        progress: Called after each photograph and each recording.
        seed: The seed of all random draws.
    """

    encoder: Encoder
    gallery: Gallery
    noises: Noises
    progress: Progress
    seed: int = 0

    def measure(self, files: EmbeddedFiles) -> tuple[NoiseFigures, ...]:
        """Measure top-1 under each condition; empty when no species has both senses.

        Args:
            files: The test files, labelled by the species of the gallery.
        """
        pairs = sample_pairs(files.images, files.audio, self.seed)
        if not len(pairs.images):
            return ()
        seen = self._embed_photographs(files.image_paths, np.unique(pairs.images))
        shares = share_recordings(np.unique(pairs.audio), list(self.noises.files), self.seed)
        heard = self._embed_recordings(files.audio_paths, shares)
        labels = files.images.labels[pairs.images]
        rows = []
        for condition, by_recording in heard.items():
            chosen = [pair for pair, row in enumerate(pairs.audio) if int(row) in by_recording]
            for damage, by_photograph in seen.items():
                samples = [
                    (by_photograph[int(pairs.images[pair])], by_recording[int(pairs.audio[pair])])
                    for pair in chosen
                ]
                rows.append(self._figures(condition, damage, samples, labels[chosen]))
        return tuple(rows)

    def _embed_photographs(
        self, paths: Sequence[Path], rows: NDArray[np.int64]
    ) -> dict[str, SampleByRow]:
        """Embed photographs at each damage; return the samples by damage and row."""
        seen: dict[str, SampleByRow] = {damage: {} for damage in DAMAGES}
        for done, row in enumerate(map(int, rows), 1):
            frame = to_camera_size(read_image(paths[row]))
            for place, damage in enumerate(DAMAGES):
                rng = np.random.default_rng((self.seed, row, place))
                damaged = damage_image(frame, damage, rng)
                usable = frame_fault(damaged, 0.0) is None
                seen[damage][row] = embed_frame(self.encoder, damaged) if usable else None
            self.progress("damaged photographs", done, len(rows))
        return seen

    def _embed_recordings(
        self, paths: Sequence[Path], shares: Mapping[str, tuple[int, ...]]
    ) -> dict[Condition, SampleByRow]:
        """Embed recordings clean and in their noises; return the samples by condition and row."""
        conditions = [CLEAN, *((kind, snr_db) for kind in shares for snr_db in SNRS_DB)]
        heard: dict[Condition, SampleByRow] = {condition: {} for condition in conditions}
        rows = sorted({row for share in shares.values() for row in share})
        for done, row in enumerate(rows, 1):
            waveform = read_beginning(paths[row], self.encoder.audio_spec.rate_hz, EXCERPT_S)
            heard[CLEAN][row] = embed_or_none(self.encoder, waveform)
            for place, kind in enumerate(shares):
                if row in shares[kind]:
                    for snr_db, sample in self._embed_in_noise(waveform, kind, (row, place)):
                        heard[kind, snr_db][row] = sample
            self.progress("noisy recordings", done, len(rows))
        return heard

    def _embed_in_noise(
        self, waveform: Waveform, kind: str, draw: tuple[int, int]
    ) -> list[tuple[int, EmbeddedSample | None]]:
        """Embed a recording at each level of one noise file, drawn by `draw`."""
        rate_hz = self.encoder.audio_spec.rate_hz
        files = self.noises.files[kind]
        chosen = np.random.default_rng((self.seed, *draw)).integers(len(files))
        noise = read_audio(files[chosen], rate_hz)
        noise -= noise.mean()  # a microphone's offset is inaudible, but would count as power
        found = []
        for snr_db in SNRS_DB:
            rng = np.random.default_rng((self.seed, *draw, 1))
            mixed = mix_noise(waveform, noise, snr_db, rng, rate_hz)
            found.append((snr_db, embed_or_none(self.encoder, mixed)))
        return found

    def _figures(
        self,
        condition: Condition,
        damage: str,
        samples: Sequence[tuple[EmbeddedSample | None, EmbeddedSample | None]],
        labels: NDArray[np.int64],
    ) -> NoiseFigures:
        answers = np.array(
            [
                [self.answer(image, None), self.answer(None, audio), self.answer(image, audio)]
                for image, audio in samples
            ]
        )
        image, audio, both = (mean(answers[:, column] == labels) for column in range(3))
        return NoiseFigures(*condition, damage, image, audio, both, len(samples))

    def answer(self, image: EmbeddedSample | None, audio: EmbeddedSample | None) -> int:
        """Return the index of the nearest species, or NO_ANSWER without a usable sense."""
        if image is None and audio is None:
            return NO_ANSWER
        fused = self.encoder.fuse((image or NO_SAMPLE).image, (audio or NO_SAMPLE).audio)
        return int(self.gallery.similarities(fused[None], combined_sense(image, audio))[0].argmax())


def sample_pairs(images: LabelledEmbeddings, audio: LabelledEmbeddings, seed: int) -> Pairs:
    """Draw up to MAX_PAIRS pairs: one of each species before the second of any.

    The species of the last pairs are random; else those late in the alphabet would be missing.
    """
    pairs = draw_pairs(images, audio, seed)
    labels = images.labels[pairs.images]
    earlier = [(labels[:row] == labels[row]).sum() for row in range(len(labels))]
    shuffled = np.random.default_rng((seed, len(labels))).permutation(len(labels))
    kept = np.lexsort((shuffled, np.array(earlier, np.int64)))[:MAX_PAIRS]
    return Pairs(pairs.images[kept], pairs.audio[kept])


def share_recordings(
    recordings: NDArray[np.int64], kinds: Sequence[str], seed: int
) -> dict[str, tuple[int, ...]]:
    """Share recordings among kinds of noise, as many for each as MAX_MIXES allows.

    All recordings are used equally often.
    """
    order = np.random.default_rng(seed).permutation(recordings)
    count = min(len(order), max(1, MAX_MIXES // (len(kinds) * len(SNRS_DB))))
    return {
        kind: tuple(int(order[(place * count + step) % len(order)]) for step in range(count))
        for place, kind in enumerate(kinds)
    }


def to_camera_size(image: Frame) -> Frame:
    """Scale a photograph down to a shorter side of MAX_SIDE_PX; never up."""
    scale = MAX_SIDE_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )


def embed_or_none(encoder: Encoder, waveform: Waveform) -> EmbeddedSample | None:
    """Embed a recording; return None when no window is usable."""
    try:
        return pool_samples(embed_recording(encoder, [waveform], "recording"))
    except InputError:
        return None
