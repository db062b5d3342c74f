"""Toy data set: photographs and recordings of six invented species."""

from pathlib import Path

import cv2
import numpy as np
import soundfile

from birdfield_train.toy_aviary.canvas import CANVAS_PX, Floats
from birdfield_train.toy_aviary.plumage import PLUMAGES
from birdfield_train.toy_aviary.scenery import Frame, Pose, backdrop, perch, place
from birdfield_train.toy_aviary.songs import RATE_HZ, sing
from birdfield_train.toy_aviary.sprite import sprite

SPECIES = tuple(plumage.name for plumage in PLUMAGES)

PHOTOGRAPH_PX = (210, 270)  # least and greatest width and height
CLIPS = 2  # per recording
CLIP_S = (6.0, 8.0)  # least and greatest length


def draw_bird(
    species: int, rng: np.random.Generator, size_px: tuple[int, int] = (240, 240)
) -> Frame:
    """Draw a photograph of an individual.

    Args:
        species: Index in SPECIES.
        rng: Decides the individual, its pose, the scenery, the light and the camera.
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
    pose = Pose(foot, scale, rng.uniform(-12, 12), left)
    return _expose(place(picture, bird, pose), rng)


def _expose(view: Floats, rng: np.random.Generator) -> Frame:
    """Add random light, and the blur and noise of a camera."""
    from_left, from_right = rng.uniform(0.72, 1.25, 2)
    light = np.linspace(from_left, from_right, view.shape[1], dtype=np.float32)[:, None]
    warmth = 1 + np.array((-1, 0, 1), np.float32) * np.float32(rng.normal(0, 0.05))
    sharp = view * light * warmth
    exposed = cv2.GaussianBlur(sharp, (0, 0), rng.uniform(0.1, 0.8))
    exposed += rng.normal(0, rng.uniform(1, 6), view.shape).astype(np.float32)
    return np.asarray(np.clip(exposed, 0, 255), np.uint8)


def write_dataset(folder: Path, seed: int = 0, photographs: int = 24, recordings: int = 6) -> None:
    """Write `images/<Species_Name>/*.jpg` and `audio/<Species_Name>/<recording>__<n>.wav`.

    Args:
        folder: Created if it is missing.
        seed: Decides the individuals; data sets of different seeds have no individual in common.
        photographs: Number per species.
        recordings: Number per species; each is cut into CLIPS clips.
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
