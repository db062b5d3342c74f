"""Contact sheet: one picture of all species of the toy data set."""

import cv2
import numpy as np

from birdfield.signals.audio import Waveform
from birdfield_train.toy_aviary.dataset import SPECIES, draw_bird
from birdfield_train.toy_aviary.scenery import Frame
from birdfield_train.toy_aviary.songs import RATE_HZ, sing

SPECTROGRAM = 512  # samples in a window, 32 ms
TOP_HZ = 8000.0
RANGE_DB = 45.0
SHEET_BIRDS = 4  # photographs per species
CELL_PX = 140  # side of a photograph
STRIP_PX = 300  # width of a spectrogram
STRIP_S = 5.0
INK, PAPER = (70, 62, 58), (247, 250, 251)


def spectrogram(waveform: Waveform, width_px: int, height_px: int) -> Frame:
    """Draw a spectrogram, dark on light: time from left to right, pitch upwards to TOP_HZ.

    Args:
        waveform: float32 [N], mono, at RATE_HZ.
        width_px: Width of the picture.
        height_px: Height of the picture.

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
    """Draw a row for each species: its name, photographs, and the spectrogram of a recording.

    Args:
        seed: Decides the individuals.

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
    for _ in range(SHEET_BIRDS):  # drawn large and then reduced, for smooth edges
        picture = draw_bird(species, rng, (2 * CELL_PX, 2 * CELL_PX))
        row[4:-4, left : left + CELL_PX] = cv2.resize(
            picture, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA
        )
        left += CELL_PX + 8
    recording = sing(species, rng, STRIP_S)
    row[4:-4, left : left + STRIP_PX] = spectrogram(recording, STRIP_PX, CELL_PX)
    cv2.rectangle(row, (left, 4), (left + STRIP_PX - 1, CELL_PX + 3), (214, 218, 220), 1)
    return row
