import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import BluePitch, at, picture, tone

from birdfield import signal_quality
from birdfield.damage import mix
from birdfield.decide import join
from birdfield.encoder import shares
from birdfield.evaluate import Embedded, fuse_pairs
from birdfield.evaluate_files import embed_folders
from birdfield.frontend import BIRDNET, YAMNET
from birdfield.image import read_image
from birdfield.signal_quality import audio_weight, image_weight, picture_quality, sound_quality
from birdfield_train.toy_aviary import draw_bird
from birdfield_train.toy_aviary.songs import sing

RATE_HZ = YAMNET.rate_hz
SPECIES = range(6)


def falls(values: list[float]) -> bool:
    return values == sorted(values, reverse=True) and values[0] > values[-1]


def mean_quality(change: str, level: float) -> float:
    """Return the mean quality of a toy picture of each species, changed."""
    qualities = []
    for species in SPECIES:
        frame = draw_bird(species, np.random.default_rng(species))
        qualities.append(picture_quality(worse(frame, change, level)))
    return float(np.mean(qualities))


def worse(frame: np.ndarray, change: str, level: float) -> np.ndarray:
    if change == "blur":
        return cv2.GaussianBlur(frame, (0, 0), level * min(frame.shape[:2])) if level else frame
    if change == "dark":
        return (frame * (1 - level)).astype(np.uint8)
    covered = frame.copy()
    covered[: round(level * len(frame))] = frame.reshape(-1, 3).mean(axis=0)
    return covered


@pytest.mark.parametrize(("change", "levels"), [
    ("blur", (0, 0.01, 0.02, 0.04)), ("dark", (0, 0.5, 0.8, 0.9)), ("cover", (0, 0.3, 0.6, 0.9))])
def test_the_quality_of_toy_pictures_falls_with_damage(change: str,
                                                       levels: tuple[float, ...]) -> None:
    assert falls([mean_quality(change, level) for level in levels])


@pytest.mark.parametrize("rate_hz", [YAMNET.rate_hz, BIRDNET.rate_hz])
def test_the_quality_of_toy_songs_falls_with_noise(rate_hz: int) -> None:
    """White noise at ever lower ratios to the song."""
    def mean(snr_db: float) -> float:
        rng = np.random.default_rng(1)
        noise = rng.normal(0, 0.1, 10 * rate_hz).astype(np.float32)
        return float(np.mean([sound_quality(
            mix(sing(species, np.random.default_rng(species), 5.3, rate_hz), noise, snr_db, rng,
                rate_hz), rate_hz) for species in SPECIES]))

    assert falls([mean(snr_db) for snr_db in (20, 10, 0, -10)])


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (1080, 1920)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_any_picture_has_a_quality(shape: tuple[int, int], level: int) -> None:
    quality = picture_quality(np.full((*shape, 3), level, np.uint8))
    assert 0 <= quality <= 1 and 0 <= image_weight(quality) <= 1


@pytest.mark.parametrize("length", [1, 1600, 84_720])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_any_sound_has_a_quality(length: int, level: float) -> None:
    quality = sound_quality(np.full(length, level, np.float32), RATE_HZ)
    assert 0 <= quality <= 1 and 0 <= audio_weight(quality) <= 1


def test_weights_never_fall_with_quality() -> None:
    steps = [step / 100 for step in range(101)]
    for weigh in (image_weight, audio_weight):
        weights = [weigh(step) for step in steps]
        assert weights == sorted(weights) and 0 < weights[0] and weights[-1] == 1


def test_measuring_takes_little_time() -> None:
    """Under 2 ms on one core; here the best of ten, with room for a machine that is busy."""
    frame = np.random.default_rng(0).integers(0, 255, (720, 1280, 3)).astype(np.uint8)
    sound = np.random.default_rng(0).normal(0, 0.1, 84_720).astype(np.float32)
    measures: list[Callable[[], float]] = [lambda: picture_quality(frame),
                                           lambda: sound_quality(sound, RATE_HZ)]
    for measure in measures:
        times_s = []
        for _ in range(10):
            start_s = time.perf_counter()
            measure()
            times_s.append(time.perf_counter() - start_s)
        assert min(times_s) < 0.01


def test_only_the_ratio_of_the_weights_counts() -> None:
    """0.2 beside 0.4 is a half beside a whole; two senses of no weight count alike."""
    vector = at(0)
    assert shares(vector, vector, 0.2, 0.4) == pytest.approx((0.5, 1))
    assert shares(vector, vector, 0.4, 0.2) == pytest.approx((1, 0.5))
    assert shares(vector, vector, 0, 0) == (1, 1)


def test_the_weight_of_a_lone_sense_does_not_count() -> None:
    for quality in (0.0, 0.5, 1.0):
        assert np.array_equal(join(BluePitch(), at(40), None, quality, 1.0), at(40))
        assert np.array_equal(join(BluePitch(), None, at(40), 1.0, quality), at(40))


def degrees(image_quality: float, audio_quality: float) -> float:
    """Return where `join` puts what is seen at 0 and heard at 60 degrees."""
    vector = join(BluePitch(), at(0), at(60), image_quality, audio_quality)
    return float(np.degrees(np.arctan2(vector[1], vector[0])))


def test_both_senses_count_alike_whatever_their_quality() -> None:
    """As docs/decisions/0008-signal-quality.md found best: midway, at 30 degrees."""
    for qualities in ((1, 1), (0, 1), (1, 0), (0.5, 0.1)):
        assert degrees(*qualities) == pytest.approx(30, abs=1e-4)


def test_a_least_weight_lets_a_poor_signal_count_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 0.8 beside 1, tan = sin 60 / (0.8 + cos 60) = 0.66617: 33.670 degrees, or 26.330."""
    monkeypatch.setattr(signal_quality, "LEAST_IMAGE_WEIGHT", 0.8)
    monkeypatch.setattr(signal_quality, "LEAST_AUDIO_WEIGHT", 0.8)
    assert degrees(1, 1) == degrees(0, 0) == pytest.approx(30, abs=1e-4)
    assert degrees(0, 1) == pytest.approx(33.670, abs=1e-3)
    assert degrees(1, 0) == pytest.approx(26.330, abs=1e-3)


def test_the_weaker_sense_counts_less() -> None:
    fuse = BluePitch().fuse
    assert fuse(at(0), at(90), 1.0, 0.5) @ at(0) > fuse(at(0), at(90)) @ at(0)
    assert np.allclose(fuse(at(0), at(90), 0.1, 0.05), fuse(at(0), at(90), 1.0, 0.5))


def test_files_are_evaluated_by_the_weights_that_they_are_identified_by(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A noisy picture and a blurred one: the second counts less, as in `join`."""
    monkeypatch.setattr(signal_quality, "LEAST_IMAGE_WEIGHT", 0.8)
    photographs, recordings = tmp_path / "images", tmp_path / "audio"
    for folder in (photographs / "Jay", recordings / "Jay"):
        folder.mkdir(parents=True)
    sharp = picture(photographs / "Jay" / "sharp.png", 10)
    blurred = np.asarray(cv2.GaussianBlur(read_image(sharp), (0, 0), 3), np.uint8)
    cv2.imwrite(str(photographs / "Jay" / "soft.png"), blurred)
    tone(recordings / "Jay" / "a.wav", 10)
    files = embed_folders(BluePitch(), ["Jay"], photographs, recordings, lambda *_: None)
    weights = dict(zip([path.stem for path in files.image_paths], files.images.weights,
                       strict=True))
    assert weights["soft"] == pytest.approx(image_weight(picture_quality(blurred)))
    assert weights["soft"] < weights["sharp"] and files.audio.weights.tolist() == [1]


def test_pairs_are_fused_by_the_weights_of_their_files() -> None:
    images = Embedded(np.stack([at(0)] * 2), np.zeros(2, np.int64), np.arange(2),
                      np.array([1, 0.5], np.float32))
    audio = Embedded(at(60)[None], np.zeros(1, np.int64), np.arange(1))
    found = fuse_pairs(BluePitch().fuse, images, np.array([0, 1]), audio, np.array([0, 0]))
    expected = [BluePitch().fuse(at(0), at(60), weight, 1.0) for weight in (1.0, 0.5)]
    assert np.allclose(found, expected)
