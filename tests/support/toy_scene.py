"""Toy scene: films and songs of two birds, and an encoder that knows their colour and pitch."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import soundfile
from fakes import BluePitch
from frames import scenery

from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM, Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.species import Species
from birdfield.watch.recogniser import Recogniser
from birdfield_train.toy_aviary import write_dataset

COLOURS = {"Robin": (60, 60, 160), "Jay": (160, 90, 60)}  # BGR
SONGS_HZ = {"Robin": 4000, "Jay": 1500}
FPS = 10
AXES = list(np.eye(DIM, dtype=np.float32))  # the vector of species n is AXES[n]


class ColourAndPitch(BluePitch):
    """An encoder that embeds a species by the colour of the frame and the pitch of the song."""

    def image_vector(self, image: np.ndarray) -> np.ndarray:
        blue, _, red = image.mean(axis=(0, 1))
        return AXES[0 if red > blue else 1]

    def audio_vector(self, frames: np.ndarray) -> np.ndarray:
        return AXES[0 if frames[0, 0] > 2500 else 1]


def gallery() -> Gallery:
    """Return a gallery of the Robin and the Jay, at right angles."""
    return Gallery(
        (Species("Robin"), Species("Jay")),
        np.repeat(AXES[:2], 3, axis=0),
        np.repeat(np.arange(2, dtype=np.int32), 3),
        np.tile(np.arange(3, dtype=np.uint8), 2),
        np.full((2, 3), 0.5, np.float32),
        Calibration((0.1, 0.1, 0.1), (0.5, 0.5, 0.5), 1.0),
    )


def toy_recogniser(encoder: Encoder | None = None) -> Recogniser:
    """Return the encoder, or another one, with the gallery."""
    return Recogniser(encoder or ColourAndPitch(), gallery(), "a1b2")


def film(
    path: Path,
    length_s: float,
    bird: str = "Robin",
    covered: tuple[float, float] = (0, 0),
    frozen: tuple[float, float] = (0, 0),
) -> str:
    """Write a video of one bird; the spans, in seconds, cover the lens or freeze the picture."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (128, 96))
    for index in range(round(length_s * FPS)):
        time_s = index / FPS
        seed = round(frozen[0] * FPS) if frozen[0] <= time_s < frozen[1] else index
        frame = scenery(seed, COLOURS[bird])
        writer.write(frame // 30 if covered[0] <= time_s < covered[1] else frame)
    writer.release()
    return str(path)


def song(
    path: Path, length_s: float, bird: str = "Robin", muted: tuple[float, float] = (0, 0)
) -> str:
    """Write the song of one bird, with digital silence in the span `muted`, in seconds."""
    seconds = np.arange(round(length_s * 22_050)) / 22_050
    waveform = 0.4 * np.sin(2 * np.pi * SONGS_HZ[bird] * seconds)
    waveform[(seconds >= muted[0]) & (seconds < muted[1])] = 0
    soundfile.write(path, waveform, 22_050)
    return str(path)


def write_known_species(folder: Path, photographs: int) -> None:
    """Write photographs, and a recording, of the five species that the toy bundle holds."""
    write_dataset(folder, seed=1, photographs=photographs, recordings=1)
    for kind in ("images", "audio"):
        shutil.rmtree(folder / kind / "Lagoon_Gleamer")
