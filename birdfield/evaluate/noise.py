"""What is left of top-1 when the sound is noisy, the picture damaged, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.evaluate.files import EmbeddedFiles, Progress
from birdfield.evaluate.metrics import mean
from birdfield.evaluate.pairs import Embedded, draw_pairs
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_flat
from birdfield.recognise.decide import sense_of
from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample, embed_sound, see
from birdfield.recognise.identify import pool_parts
from birdfield.signals.audio import Waveform, read_audio, read_beginning
from birdfield.signals.damage import DAMAGES, damage_image, mix_noise
from birdfield.signals.image import Frame, read_image
from birdfield.signals.usability import frame_fault, window_fault

SNRS_DB = (20, 10, 5, 0, -5)
SAMPLE = 100  # pairs of a photograph and a recording, at most
MIXES = 3000  # noisy recordings to embed, about: 4 minutes at 40 ms a window
JUDGED_HZ = 16_000  # the rate at which a noise is checked for being silent
CUT_S = 10.0  # what is taken of a recording, two windows
SIDE_PX = 480  # a photograph's shorter side, at most: a camera's size, so that damage is one
NO_ANSWER = -1  # the answer where neither sense is usable

Condition = tuple[str, int | None]  # a kind of noise, and its signal-to-noise ratio in dB
CLEAN: Condition = ("none", None)


@dataclass(frozen=True)
class Noises:
    """Usable noise files by kind, and the problems of the others."""

    files: Mapping[str, tuple[Path, ...]]
    problems: tuple[str, ...]


def find_noises(folder: Path) -> Noises:
    """List a flat folder of sounds by kind, `<kind>__<n>.ext`, and try each of them.

    Raises:
        InputError: When the folder is missing, or holds no sound that can be read and heard.
    """
    samples, misnamed = scan_flat(folder, Sense.AUDIO)
    problems = [f"{path}: no sound file" for path in misnamed]
    files: dict[str, tuple[Path, ...]] = {}
    for sample in samples:
        try:
            if window_fault(read_audio(sample.path, JUDGED_HZ)) == "silent":
                raise InputError(f"{sample.path}: the noise is silent")
        except InputError as error:
            problems.append(str(error))
            continue
        files[sample.label] = (*files.get(sample.label, ()), sample.path)
    if not files:
        raise InputError(f"{folder}: no usable noise ({problems[0]})")
    return Noises(files, tuple(problems))


def measure_noise(
    encoder: Encoder,
    gallery: Gallery,
    files: EmbeddedFiles,
    noises: Noises,
    progress: Progress,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Score pairs of a photograph and a recording under every noise, ratio and damage.

    SAMPLE pairs are drawn, as many of each species as there are. Recordings are cut to their first
    CUT_S. Each photograph is embedded at each damage and each recording at each noise; the
    vectors are then fused in all combinations. Where every recording in every noise would be
    more than MIXES, each kind of noise has its share of recordings, in turn, so that all are used;
    30 kinds stay under six minutes on two cores. A recording has one file and one cut of a kind
    of noise, at all ratios.

    What `quality` calls unusable is absent, as in `watch`: the other sense answers, and a pair
    without a usable sense is wrong.

    Args:
        encoder: The model.
        gallery: Its species.
        files: The test files, whose rows are labelled by species of the gallery.
        noises: From `find_noises`.
        progress: Told after each photograph and each recording.
        seed: Of all that is drawn.

    Returns:
        Rows in the documented JSON form; none when no species has both senses.
    """
    left, right = sample_pairs(files.images, files.audio, seed)
    if not len(left):
        return []
    seen = _see_all(encoder, files.image_paths, np.unique(left), seed, progress)
    shares = _shares(np.unique(right), list(noises.files), seed)
    heard = _hear_all(encoder, files.audio_paths, noises, shares, seed, progress)
    labels = files.images.labels[left]
    rows = []
    for condition, by_recording in heard.items():
        chosen = [pair for pair, row in enumerate(right) if int(row) in by_recording]
        for damage in DAMAGES:
            pairs = [
                (seen[damage][int(left[pair])], by_recording[int(right[pair])]) for pair in chosen
            ]
            rows.append(_row(encoder, gallery, condition, damage, pairs, labels[chosen]))
    return rows


def sample_pairs(
    images: Embedded, audio: Embedded, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw up to SAMPLE pairs, a pair of each species before the next of any; int64 [P] each.

    Which species have the last ones is drawn too: else those late in the alphabet never would.
    """
    left, right = draw_pairs(images, audio, seed)
    labels = images.labels[left]
    turn = np.array([(labels[:row] == labels[row]).sum() for row in range(len(labels))], np.int64)
    drawn = np.random.default_rng((seed, len(turn))).permutation(len(turn))
    kept = np.lexsort((drawn, turn))[:SAMPLE]
    return left[kept], right[kept]


def _shares(
    recordings: NDArray[np.int64], kinds: Sequence[str], seed: int
) -> dict[str, tuple[int, ...]]:
    """Deal recordings to kinds of noise, as many to each as MIXES allows, all equally often."""
    order = np.random.default_rng(seed).permutation(recordings)
    count = min(len(order), max(1, MIXES // (len(kinds) * len(SNRS_DB))))
    return {
        kind: tuple(int(order[(place * count + step) % len(order)]) for step in range(count))
        for place, kind in enumerate(kinds)
    }


def _see_all(
    encoder: Encoder, paths: Sequence[Path], rows: NDArray[np.int64], seed: int, progress: Progress
) -> dict[str, dict[int, EmbeddedSample | None]]:
    """Embed photographs at each damage; returns parts by damage and row."""
    seen: dict[str, dict[int, EmbeddedSample | None]] = {damage: {} for damage in DAMAGES}
    for done, row in enumerate(map(int, rows), 1):
        frame = _to_camera_size(read_image(paths[row]))
        for place, damage in enumerate(DAMAGES):
            damaged = damage_image(frame, damage, np.random.default_rng((seed, row, place)))
            usable = frame_fault(damaged, 0.0) is None
            seen[damage][row] = see(encoder, damaged) if usable else None
        progress("damaged photographs", done, len(rows))
    return seen


def _to_camera_size(image: Frame) -> Frame:
    scale = SIDE_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )


def _hear_all(
    encoder: Encoder,
    paths: Sequence[Path],
    noises: Noises,
    shares: Mapping[str, tuple[int, ...]],
    seed: int,
    progress: Progress,
) -> dict[Condition, dict[int, EmbeddedSample | None]]:
    """Embed recordings clean and in their share of noises; returns parts by condition and row."""
    conditions = [CLEAN, *((kind, snr_db) for kind in shares for snr_db in SNRS_DB)]
    heard: dict[Condition, dict[int, EmbeddedSample | None]] = {
        condition: {} for condition in conditions
    }
    rows = sorted({row for share in shares.values() for row in share})
    rate_hz = encoder.audio_spec.rate_hz
    for done, row in enumerate(rows, 1):
        waveform = read_beginning(paths[row], rate_hz, CUT_S)
        heard[CLEAN][row] = _hear(encoder, waveform)
        for place, kind in enumerate(shares):
            if row not in shares[kind]:
                continue
            draw = np.random.default_rng((seed, row, place))
            noise = read_audio(noises.files[kind][draw.integers(len(noises.files[kind]))], rate_hz)
            noise -= noise.mean()  # a microphone's offset is no noise, and would count as power
            for snr_db in SNRS_DB:
                mixed = mix_noise(
                    waveform, noise, snr_db, np.random.default_rng((seed, row, place, 1)), rate_hz
                )
                heard[kind, snr_db][row] = _hear(encoder, mixed)
        progress("noisy recordings", done, len(rows))
    return heard


def _hear(encoder: Encoder, waveform: Waveform) -> EmbeddedSample | None:
    try:
        return pool_parts(embed_sound(encoder, [waveform], "recording"))
    except InputError:  # no window is usable: whoever listens hears nothing
        return None


def _row(
    encoder: Encoder,
    gallery: Gallery,
    condition: Condition,
    damage: str,
    pairs: Sequence[tuple[EmbeddedSample | None, EmbeddedSample | None]],
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    answers = np.array(
        [
            [
                _answer(encoder, gallery, image, None),
                _answer(encoder, gallery, None, audio),
                _answer(encoder, gallery, image, audio),
            ]
            for image, audio in pairs
        ]
    )
    image, audio, both = (mean(answers[:, column] == labels) for column in range(3))
    return {
        "noise": condition[0],
        "snr_db": condition[1],
        "image_damage": damage,
        "image_top1": image,
        "audio_top1": audio,
        "both_top1": both,
        "n": len(pairs),
    }


def _answer(
    encoder: Encoder, gallery: Gallery, image: EmbeddedSample | None, audio: EmbeddedSample | None
) -> int:
    if image is None and audio is None:
        return NO_ANSWER
    fused = encoder.fuse((image or NO_SAMPLE).image, (audio or NO_SAMPLE).audio)
    return int(gallery.similarities(fused[None], sense_of(image, audio))[0].argmax())
