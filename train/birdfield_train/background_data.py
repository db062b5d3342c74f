"""Background data: generated pictures and sounds without a bird, for users who have none."""

from pathlib import Path

import cv2
import numpy as np
import soundfile

from birdfield_train.background_pictures import PICTURES
from birdfield_train.background_sounds import RATE_HZ, SOUNDS

COUNT = 40  # files of each sense; the kinds take turns
PEAK_LOG10 = (-1.3, -0.2)  # log10 of the peak, of full scale


def write_background(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write COUNT pictures and COUNT sounds without a bird.

    Args:
        folder: Receives `images/KIND__N.png` and `audio/KIND__N.wav`.
        seed: Equal seeds write equal files.

    Returns:
        The folder of pictures and the folder of sounds.
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
        peak = 10 ** rng.uniform(*PEAK_LOG10)
        soundfile.write(
            audio / f"{kind}__{index}.wav", sound * (peak / np.abs(sound).max()), RATE_HZ
        )
    return images, audio
