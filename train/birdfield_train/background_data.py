"""Pictures and sounds of no bird, drawn by code: what a model learns to leave alone.

They stand in where `train` is given no photographs and recordings without a bird.
"""

from pathlib import Path

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

COUNT = 40  # of each sense, the kinds in turn
SIDE_PX = 256
RATE_HZ = 48_000  # the highest that a frontend takes
LENGTH_S = 6.0  # the longest window of a frontend

Picture = NDArray[np.float64]  # [SIDE_PX, SIDE_PX, 3], BGR, 0..255
Sound = NDArray[np.float64]  # [RATE_HZ * LENGTH_S]

SIDE = (SIDE_PX, SIDE_PX)
SAMPLES = round(RATE_HZ * LENGTH_S)


def write_background(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Draw COUNT pictures and COUNT sounds of no bird.

    Args:
        folder: Where `images/<kind>__<n>.png` and `audio/<kind>__<n>.wav` are written.
        seed: Equal seeds, equal files.

    Returns:
        The two folders.
    """
    images, audio = folder / "images", folder / "audio"
    images.mkdir(parents=True)
    audio.mkdir()
    for index in range(COUNT):
        rng = np.random.default_rng((seed, index))
        kind = list(PICTURES)[index % len(PICTURES)]
        picture = np.clip(PICTURES[kind](rng), 0, 255).astype(np.uint8)
        (images / f"{kind}__{index}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        kind = list(SOUNDS)[index % len(SOUNDS)]
        sound = SOUNDS[kind](rng)
        loudest = 10 ** rng.uniform(-1.3, -0.2)  # of full scale
        soundfile.write(
            audio / f"{kind}__{index}.wav", sound * (loudest / np.abs(sound).max()), RATE_HZ
        )
    return images, audio


def _colour(rng: np.random.Generator, near: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.asarray(np.array(near) + rng.normal(0, 30, 3))


def _clouds(rng: np.random.Generator, cells: int) -> NDArray[np.float64]:
    """Draw smooth noise, about -1..1, [SIDE_PX, SIDE_PX]."""
    coarse = rng.uniform(-1, 1, (cells, cells))
    return np.asarray(cv2.resize(coarse, SIDE, interpolation=cv2.INTER_CUBIC), np.float64)


def _gradient(rng: np.random.Generator) -> Picture:
    angle = rng.uniform(0, 2 * np.pi)
    down, right = np.mgrid[-1 : 1 : SIDE_PX * 1j, -1 : 1 : SIDE_PX * 1j]
    way = (np.cos(angle) * right + np.sin(angle) * down)[..., None]
    grain = rng.normal(0, 4, (*SIDE, 3))
    return np.asarray(rng.uniform(70, 185, 3) + 60 * way * rng.uniform(0.5, 1, 3) + grain)


def _grass(rng: np.random.Generator) -> Picture:
    """Draw blades, or where they are short and wide, leaves."""
    picture = np.full((*SIDE, 3), _colour(rng, (40, 80, 60)))
    length, width = rng.uniform(10, 90), int(rng.integers(1, 9))
    for _ in range(900):
        start = rng.uniform(0, SIDE_PX, 2)
        lean = rng.normal(0, 0.6) + np.pi / 2
        end = start - length * np.array([np.cos(lean), np.sin(lean)])
        blade = _colour(rng, (50, 130, 90))
        cv2.line(picture, tuple(map(int, start)), tuple(map(int, end)), blade.tolist(), width)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3)))


def _sky(rng: np.random.Generator) -> Picture:
    down = np.linspace(0, 1, SIDE_PX)[:, None, None]
    sky = _colour(rng, (220, 160, 100)) * (1 - down) + _colour(rng, (235, 215, 195)) * down
    clouds = np.clip(_clouds(rng, 4) + 0.5 * _clouds(rng, 9), 0, 1)[..., None]
    return np.asarray(sky + clouds * rng.uniform(0, 90) + rng.normal(0, 2, (*SIDE, 3)))


def _blur(rng: np.random.Generator) -> Picture:
    cells = int(rng.integers(4, 40))
    layers = [_clouds(rng, cells) for _ in range(3)]
    return np.asarray(rng.uniform(60, 200, 3) + 60 * np.stack(layers, axis=2))


def _stripes(rng: np.random.Generator) -> Picture:
    """Draw boards or a fence."""
    across = np.arange(SIDE_PX) % int(rng.integers(12, 60)) < int(rng.integers(2, 12))
    board, gap = rng.uniform(60, 220, 3), rng.uniform(10, 120, 3)
    picture = np.where(np.broadcast_to(across[None, :, None], (*SIDE, 3)), gap, board)
    picture = picture + 12 * _clouds(rng, 30)[..., None] + rng.normal(0, 5, (*SIDE, 3))
    return np.asarray(picture if rng.random() < 0.5 else picture.transpose(1, 0, 2))


def _feeder(rng: np.random.Generator) -> Picture:
    """Draw a tube, a roof and a perch before blurred leaves."""
    picture = cv2.GaussianBlur(_grass(rng), (0, 0), 5)
    left, top = (int(value) for value in rng.integers(60, 110, 2))
    width, height = (int(value) for value in rng.integers((30, 70), (90, 130)))
    tube, roof = (rng.uniform(20, 210, 3).tolist() for _ in range(2))
    cv2.rectangle(picture, (left, top), (left + width, top + height), tube, -1)
    corners = [(left - 20, top), (left + width + 20, top), (left + width // 2, top - 40)]
    cv2.fillPoly(picture, [np.array(corners, np.int32)], roof)
    cv2.line(
        picture, (left - 30, top + height - 15), (left + width + 30, top + height - 15), roof, 4
    )
    return np.asarray(picture + rng.normal(0, 5, (*SIDE, 3)))


def _coloured(rng: np.random.Generator, slope: float) -> Sound:
    """Make noise whose power falls with frequency to the power of slope."""
    frequencies = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    spectrum = rng.normal(size=(2, len(frequencies)))
    shape = np.maximum(frequencies, 20.0) ** (-slope / 2)
    return np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * shape, SAMPLES)


def _white(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 0.0)


def _pink(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 1.0)


def _brown(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 2.0)


def _hum(rng: np.random.Generator) -> Sound:
    """Make an engine's or the mains' hum with its harmonics."""
    base_hz, seconds = rng.uniform(40, 200), np.arange(SAMPLES) / RATE_HZ
    sound = 0.01 * _unit(_coloured(rng, 1.0))
    for harmonic in range(1, 13):
        sound += (
            rng.uniform(0.2, 1)
            / harmonic
            * np.sin(2 * np.pi * (base_hz * harmonic * seconds + rng.random()))
        )
    return np.asarray(sound)


def _wind(rng: np.random.Generator) -> Sound:
    """Make low noise that comes in gusts."""
    gusts = np.interp(np.arange(SAMPLES), np.linspace(0, SAMPLES, 9), rng.uniform(0.05, 1, 9))
    return np.asarray(_coloured(rng, rng.uniform(1.5, 3)) * gusts**2)


def _drops(rng: np.random.Generator, count: int, decay_s: float) -> Sound:
    """Make short dull knocks at random moments."""
    sound = np.zeros(SAMPLES)
    tail = np.arange(round(5 * decay_s * RATE_HZ)) / RATE_HZ
    for start in rng.integers(0, SAMPLES - len(tail), count):
        knock = np.exp(-tail / decay_s) * rng.normal(size=len(tail))
        sound[start : start + len(tail)] += rng.uniform(0.1, 1) ** 2 * knock
    return sound


def _rain(rng: np.random.Generator) -> Sound:
    drops = _drops(rng, int(rng.integers(300, 3000)), 0.002)
    return np.asarray(_unit(drops) + rng.uniform(0.2, 1) * _unit(_pink(rng)))


def _clicks(rng: np.random.Generator) -> Sound:
    knocks = _drops(rng, int(rng.integers(4, 40)), rng.uniform(0.001, 0.03))
    return np.asarray(_unit(knocks) + 0.02 * _unit(_pink(rng)))


def _unit(sound: Sound) -> Sound:
    return np.asarray(sound / sound.std())


PICTURES = {
    "gradient": _gradient,
    "grass": _grass,
    "sky": _sky,
    "blur": _blur,
    "stripes": _stripes,
    "feeder": _feeder,
}
SOUNDS = {
    "white": _white,
    "pink": _pink,
    "brown": _brown,
    "hum": _hum,
    "wind": _wind,
    "rain": _rain,
    "clicks": _clicks,
}
