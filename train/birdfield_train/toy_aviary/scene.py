"""Scene: a film with sound, whose visits a script records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile

from birdfield.signals.audio import Waveform
from birdfield_train.toy_aviary.canvas import Floats
from birdfield_train.toy_aviary.plumage import PLUMAGES
from birdfield_train.toy_aviary.scenery import Frame, Pose, backdrop, perch, place
from birdfield_train.toy_aviary.songs import RATE_HZ, air, song
from birdfield_train.toy_aviary.sprite import sprite

FILM_PX = (320, 240)
FRAME_HZ = 5
JPEG_QUALITY = 80  # of the frames, about 5 kB each
VISIT_S = 11.0  # mean length
GAP_S = 6.0  # mean length
AIR_LEVEL = 0.004  # root mean square of the background sound
FILM_FOOT = (160.0, 192.0)  # place of the perch in a frame, x and y in pixels
FILM_SCALE = 0.68  # pixels of a frame per pixel of the sprite


@dataclass(frozen=True)
class Visit:
    """A part of the film with one bird, or a gap without a bird.

    Attributes:
        species: Index in PLUMAGES; None in a gap.
        start_s: Start in the film.
        end_s: End in the film.
        camera: "clear", or "covered" for black frames.
        microphone: "clear", or "muted" for zeros.
    """

    species: int | None
    start_s: float
    end_s: float
    camera: str
    microphone: str

    def to_json(self) -> dict[str, object]:
        """Return the entry of `scene.json`, with the senses that record this part."""
        senses = [
            sense
            for sense, state in (("image", self.camera), ("audio", self.microphone))
            if state == "clear"
        ]
        label = None if self.species is None else PLUMAGES[self.species].name
        return {"species": label, "start_s": self.start_s, "end_s": self.end_s, "senses": senses}


def write_script(rng: np.random.Generator, visits: int) -> tuple[Visit, ...]:
    """Plan a film in three parts: both senses, the microphone alone, and the camera alone.

    Args:
        rng: Decides the species and the lengths.
        visits: Number of visits in each part.

    Returns:
        Visits, with gaps before and after each; all start and end at a frame.
    """
    script: list[Visit] = []
    now = 0
    for camera, microphone in (("clear", "clear"), ("covered", "clear"), ("clear", "muted")):
        order = np.concatenate([rng.permutation(len(PLUMAGES)) for _ in range(visits)])[:visits]
        guests = [None, *(guest for species in order for guest in (int(species), None))]
        for guest in guests:
            length_s = (GAP_S if guest is None else VISIT_S) + rng.uniform(-0.8, 0.8)
            until = now + round(length_s * FRAME_HZ)
            script.append(Visit(guest, now / FRAME_HZ, until / FRAME_HZ, camera, microphone))
            now = until
    return tuple(script)


def film(script: tuple[Visit, ...], rng: np.random.Generator) -> Iterator[Frame]:
    """Yield the frames of a fixed camera, BGR uint8 [240, 320, 3]."""
    empty = backdrop(rng, FILM_PX)
    perch(empty, FILM_FOOT, rng)
    grain = rng.normal(0, 2, (7, *empty.shape)).astype(np.float32)
    for visit in script:
        for clean in _show(visit, empty, rng):
            noise = np.roll(grain[rng.integers(len(grain))], rng.integers(len(empty)), axis=0)
            noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
            yield np.zeros_like(noisy) if visit.camera == "covered" else noisy


def _show(visit: Visit, empty: Frame, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield the frames of a visit or gap without noise; the bird flies in and out."""
    count = round((visit.end_s - visit.start_s) * FRAME_HZ)
    if visit.species is None or visit.camera == "covered":
        yield from [empty.astype(np.float32)] * count
        return
    bird, left = sprite(visit.species, rng), bool(rng.random() < 0.5)
    turn_deg, shift = 0.0, rng.uniform(-20, 20)
    for index in range(count):
        away = FILM_PX[0] * max(0.0, 0.7 - 0.25 * min(index, count - 1 - index))
        if rng.random() < 0.3:  # between its movements, the bird sits still
            turn_deg, shift = rng.uniform(-9, 9), shift * 0.8 + rng.normal(0, 4)
        foot = (FILM_FOOT[0] + shift + away * (1 if left else -1), FILM_FOOT[1] - away * 0.2)
        yield place(empty, bird, Pose(foot, FILM_SCALE, turn_deg, left))


def soundtrack(script: tuple[Visit, ...], rng: np.random.Generator) -> Waveform:
    """Return the sound of a microphone, float32 [length of the script x RATE_HZ], -1..1."""
    sound = air(rng, script[-1].end_s) * np.float32(AIR_LEVEL)
    for visit in script:
        part = sound[round(visit.start_s * RATE_HZ) : round(visit.end_s * RATE_HZ)]
        if visit.species is not None:
            sung = song(visit.species, rng, len(part) / RATE_HZ)
            part += sung * np.float32(rng.uniform(0.2, 0.6))
        if visit.microphone == "muted":
            part[:] = 0
    return sound


def write_scene(folder: Path, seed: int, visits: int = 10) -> tuple[Visit, ...]:
    """Write `scene.avi`, `scene.wav` and `scene.json`; film and sound have the same length.

    Args:
        folder: Created if it is missing.
        seed: Decides the whole scene.
        visits: Number of visits in each of the three parts.

    Returns:
        The script, including the gaps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan_rng, film_rng, sound_rng = np.random.default_rng((seed, len(PLUMAGES))).spawn(3)
    script = write_script(plan_rng, visits)
    writer = cv2.VideoWriter(
        str(folder / "scene.avi"), cv2.VideoWriter.fourcc(*"MJPG"), FRAME_HZ, FILM_PX
    )
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY)
    for frame in film(script, film_rng):
        writer.write(frame)
    writer.release()
    soundfile.write(folder / "scene.wav", soundtrack(script, sound_rng), RATE_HZ, "PCM_16")
    entry = {
        "video": "scene.avi",
        "sound": "scene.wav",
        "frame_hz": FRAME_HZ,
        "rate_hz": RATE_HZ,
        "length_s": script[-1].end_s,
        "visits": [visit.to_json() for visit in script if visit.species is not None],
        "gaps": [visit.to_json() for visit in script if visit.species is None],
    }
    (folder / "scene.json").write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
    return script
