import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fakes import CALIBRATION, BluePitch, at

from birdfield.model.audio_specs import BIRDNET, YAMNET
from birdfield.model.gallery import Gallery
from birdfield.model.species import Species
from birdfield.recognise.decide import Signal, decide
from birdfield.signals.noise import mix_noise
from birdfield.signals.signal_quality import picture_quality, sound_quality
from birdfield_train.toy_aviary import draw_bird
from birdfield_train.toy_aviary.songs import sing

RATE_HZ = YAMNET.rate_hz
SPECIES = range(6)


def is_falling(values: list[float]) -> bool:
    return values == sorted(values, reverse=True) and values[0] > values[-1]


def mean_quality(change: str, level: float) -> float:
    """Return the mean quality of a toy picture of each species, changed."""
    qualities = []
    for species in SPECIES:
        frame = draw_bird(species, np.random.default_rng(species))
        qualities.append(picture_quality(degrade(frame, change, level)))
    return float(np.mean(qualities))


def degrade(frame: np.ndarray, change: str, level: float) -> np.ndarray:
    if change == "blur":
        return cv2.GaussianBlur(frame, (0, 0), level * min(frame.shape[:2])) if level else frame
    if change == "dark":
        return (frame * (1 - level)).astype(np.uint8)
    covered = frame.copy()
    covered[: round(level * len(frame))] = frame.reshape(-1, 3).mean(axis=0)
    return covered


@pytest.mark.parametrize(
    ("change", "levels"),
    [("blur", (0, 0.01, 0.02, 0.04)), ("dark", (0, 0.5, 0.8, 0.9)), ("cover", (0, 0.3, 0.6, 0.9))],
)
def test_the_quality_of_toy_pictures_falls_with_damage(
    change: str, levels: tuple[float, ...]
) -> None:
    assert is_falling([mean_quality(change, level) for level in levels])


@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", [YAMNET.rate_hz, BIRDNET.rate_hz])
def test_the_quality_of_toy_songs_falls_with_noise(rate_hz: int) -> None:
    """The signal-to-noise ratio falls from 20 to -10 dB of white noise."""

    def mean(snr_db: float) -> float:
        rng = np.random.default_rng(1)
        noise = rng.normal(0, 0.1, 10 * rate_hz).astype(np.float32)
        return float(
            np.mean(
                [
                    sound_quality(
                        mix_noise(
                            sing(species, np.random.default_rng(species), 5.3, rate_hz),
                            noise,
                            snr_db,
                            rng,
                            rate_hz,
                        ),
                        rate_hz,
                    )
                    for species in SPECIES
                ]
            )
        )

    assert is_falling([mean(snr_db) for snr_db in (20, 10, 0, -10)])


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (1080, 1920)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_any_picture_has_a_quality(shape: tuple[int, int], level: int) -> None:
    quality = picture_quality(np.full((*shape, 3), level, np.uint8))
    assert 0 <= quality <= 1


@pytest.mark.parametrize("length", [1, 1600, 84_720])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_any_sound_has_a_quality(length: int, level: float) -> None:
    quality = sound_quality(np.full(length, level, np.float32), RATE_HZ)
    assert 0 <= quality <= 1


def test_a_measurement_is_fast() -> None:
    """Each measure needs under 2 ms on one core; the limit is a tenth of the 0.5 s between looks.

    The best of ten counts, since the machine may be slow or busy.
    """
    frame = np.random.default_rng(0).integers(0, 255, (720, 1280, 3)).astype(np.uint8)
    sound = np.random.default_rng(0).normal(0, 0.1, 84_720).astype(np.float32)
    measures: list[Callable[[], float]] = [
        lambda: picture_quality(frame),
        lambda: sound_quality(sound, RATE_HZ),
    ]
    for measure in measures:
        times_s = []
        for _ in range(10):
            start_s = time.perf_counter()
            measure()
            times_s.append(time.perf_counter() - start_s)
        assert min(times_s) < 0.05


def test_both_senses_have_equal_weight_at_any_quality() -> None:
    """The mean of 0 and 60 degrees is 30, by docs/decisions/0008-signal-quality.md."""
    species = ("Jay", "Robin", "Wren")
    gallery = Gallery(
        tuple(map(Species, species)),
        np.stack([at(0), at(30), at(60)]),
        np.arange(3, dtype=np.int32),
        np.full(3, 2, np.uint8),
        np.full((3, 3), 0.5, np.float32),
        CALIBRATION,
    )
    for qualities in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.5, 0.1)):
        decision = decide(BluePitch(), gallery, at(0), at(60), Signal(*qualities))
        assert decision.species == "Robin" and decision.similarity == pytest.approx(1, abs=1e-6)
        assert (decision.image_quality, decision.audio_quality) == qualities
