"""A toy data set: six invented species whose photographs and recordings are made by code."""

from pathlib import Path

import cv2
import numpy as np
import soundfile

from birdfield.signals.audio import Waveform
from birdfield_train.toy_aviary.plumage import CANVAS_PX, PLUMAGES, Floats, sprite
from birdfield_train.toy_aviary.scene import Frame, backdrop, perch, place, write_scene
from birdfield_train.toy_aviary.songs import RATE_HZ, sing, song

__all__ = [
    "SPECIES",
    "contact_sheet",
    "draw_bird",
    "sing",
    "song",
    "spectrogram",
    "write_dataset",
    "write_scene",
]

SPECIES = tuple(plumage.name for plumage in PLUMAGES)

PHOTOGRAPH_PX = (210, 270)  # the least and the greatest width and height
CLIPS = 2  # of each recording
CLIP_S = (6.0, 8.0)

SPECTROGRAM = 512  # samples in a window: 32 ms
TOP_HZ = 8000.0
RANGE_DB = 45.0
SHEET_BIRDS = 4
CELL_PX = 140
STRIP_PX = 300
STRIP_S = 5.0
INK, PAPER = (70, 62, 58), (247, 250, 251)


def draw_bird(
    species: int, rng: np.random.Generator, size_px: tuple[int, int] = (240, 240)
) -> Frame:
    """Make a photograph of one individual.

    Args:
        species: Index in SPECIES.
        rng: Decides the individual, its pose, the scenery, the light and the camera's faults.
        size_px: Width and height.

    Returns:
        BGR, uint8 [height, width, 3].
    """
    width, height = size_px
    scale = min(size_px) / CANVAS_PX * rng.uniform(0.8, 1.12)
    foot = (width * rng.uniform(0.41, 0.59), height / 2 + min(size_px) * rng.uniform(0.26, 0.38))
    picture = backdrop(rng, size_px)
    perch(picture, foot, rng)
    bird, left = sprite(species, rng), bool(rng.random() < 0.5)
    return _expose(place(picture, bird, foot, scale, rng.uniform(-12, 12), left), rng)


def _expose(view: Floats, rng: np.random.Generator) -> Frame:
    """Take a picture in some light, with a lens and a sensor that are not perfect."""
    from_left, from_right = rng.uniform(0.72, 1.25, 2)
    light = np.linspace(from_left, from_right, view.shape[1], dtype=np.float32)[:, None]
    warmth = 1 + np.array((-1, 0, 1), np.float32) * np.float32(rng.normal(0, 0.05))
    sharp = view * light * warmth
    taken = cv2.GaussianBlur(sharp, (0, 0), rng.uniform(0.1, 0.8))
    taken += rng.normal(0, rng.uniform(1, 6), view.shape).astype(np.float32)
    return np.asarray(np.clip(taken, 0, 255), np.uint8)


def write_dataset(folder: Path, seed: int = 0, photographs: int = 24, recordings: int = 6) -> None:
    """Write `images/<Species_Name>/*.jpg` and `audio/<Species_Name>/<recording>__<n>.wav`.

    Args:
        folder: Is made where it is missing.
        seed: Decides the individuals; no two seeds share one.
        photographs: Number for each species.
        recordings: Number for each species; each is cut into CLIPS clips.
    """
    for species, name in enumerate(SPECIES):
        images, audio = (folder / kind / name.replace(" ", "_") for kind in ("images", "audio"))
        images.mkdir(parents=True, exist_ok=True)
        audio.mkdir(parents=True, exist_ok=True)
        image_rng, audio_rng = np.random.default_rng((seed, species)).spawn(2)
        for index, rng in enumerate(image_rng.spawn(photographs)):
            width, height = rng.integers(*PHOTOGRAPH_PX, 2, endpoint=True)
            picture = draw_bird(species, rng, (int(width), int(height)))
            cv2.imwrite(str(images / f"photograph_{seed}_{index:03}.jpg"), picture)
        for index, rng in enumerate(audio_rng.spawn(recordings)):
            waveform = sing(species, rng, CLIPS * rng.uniform(*CLIP_S))
            for clip, part in enumerate(np.array_split(waveform, CLIPS)):
                soundfile.write(
                    audio / f"recording_{seed}_{index:03}__{clip}.wav", part, RATE_HZ, "PCM_16"
                )


def spectrogram(waveform: Waveform, width_px: int, height_px: int) -> Frame:
    """Draw a recording as ink on paper: time to the right, pitch upwards to TOP_HZ.

    Returns:
        BGR, uint8 [height_px, width_px, 3].
    """
    hop = max(1, (len(waveform) - SPECTROGRAM) // width_px)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, SPECTROGRAM)[::hop][:width_px]
    power = np.abs(np.fft.rfft(frames * np.hanning(SPECTROGRAM), axis=1).T[::-1]) ** 2
    level_db = 10 * np.log10(power[-round(TOP_HZ * SPECTROGRAM / RATE_HZ) :] + 1e-9)
    ink = np.clip(1 + (level_db - level_db.max()) / RANGE_DB, 0, 1).astype(np.float32)
    ink = cv2.resize(ink, (width_px, height_px), interpolation=cv2.INTER_AREA)[..., None]
    return np.asarray(PAPER + (np.array(INK) - PAPER) * ink, np.uint8)


def contact_sheet(seed: int = 0) -> Frame:
    """Draw all species, a row each: its name, some photographs, and a recording's spectrogram.

    Returns:
        BGR, uint8 [H, about 1000, 3].
    """
    return np.concatenate(
        [
            _sheet_row(species, np.random.default_rng((seed, species)))
            for species in range(len(SPECIES))
        ]
    )


def _sheet_row(species: int, rng: np.random.Generator) -> Frame:
    row = np.full((CELL_PX + 8, SHEET_BIRDS * (CELL_PX + 8) + STRIP_PX + 116, 3), PAPER, np.uint8)
    for line, word in enumerate(SPECIES[species].split()):
        cv2.putText(
            row,
            word,
            (12, CELL_PX // 2 + 24 * line),
            cv2.FONT_HERSHEY_DUPLEX,
            0.6,
            INK,
            1,
            cv2.LINE_AA,
        )
    left = 108
    for _ in range(SHEET_BIRDS):  # drawn large and shrunk, as a photograph on a page is
        picture = draw_bird(species, rng, (2 * CELL_PX, 2 * CELL_PX))
        row[4:-4, left : left + CELL_PX] = cv2.resize(
            picture, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA
        )
        left += CELL_PX + 8
    heard = sing(species, rng, STRIP_S)
    row[4:-4, left : left + STRIP_PX] = spectrogram(heard, STRIP_PX, CELL_PX)
    cv2.rectangle(row, (left, 4), (left + STRIP_PX - 1, CELL_PX + 3), (214, 218, 220), 1)
    return row
