"""Garden: renders a script of `tools/garden_script.py` as pictures and sound.

GrabCut cuts birds out of their photographs. They fly in, sit, hop and turn in front of a picture
without a bird; objects cut out of such pictures pass by. Songs repeat with pauses over the garden's
steady noise.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from garden_script import PASSING_S, Event, Garden
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform, read_audio
from birdfield.signals.image import Frame, read_image
from birdfield.signals.motion import LOOK_INTERVAL_S
from birdfield.signals.noise import active_power
from birdfield_export.framing import foreground

FRAME_PX = (1280, 720)
SPRITE_PX = 240  # the longer side of a photograph before its bird is cut out
CUT_SHARE = (0.08, 0.7)  # of a photograph: beyond these shares the cut has failed
RIM_PX = 33  # background kept around the bird, both sides together
NOISE = 4.0  # of 255: the sensor's noise, from GRAINS pictures in turn
GRAINS = 8
DUSK_LUMA, DUSK_NOISE = 45.0, 8.0  # of 255
NIGHT_GAIN = 0.03
NIGHT_S = 10.0  # darkness before and after a visit at night
SWAY_PX, LEAF_SHARE = 8.0, 0.2  # how far leaves swing in gusts, and in which share
GUST_S, GUSTS_EVERY_S = 10.0, 30.0
FLIGHT_S = 1.0  # to fly in, and to fly out
HOPS = 0.1  # probability, at each look, that the bird changes place and pose
STEADY_RMS = 0.01  # of full scale: the steady noise
FADE_S = 0.25
PAUSE_S = (0.5, 3.0)  # between two songs

Sprite = NDArray[np.float32]  # [h, w, 4], BGR and alpha, 0..255


@lru_cache(maxsize=128)
def cut_out(path: Path) -> Sprite:
    """Cut the bird out of its photograph, with a soft rim of background.

    The rim keeps heads and tails, which GrabCut alone cuts off. When GrabCut fails, return the
    whole photograph.
    """
    image = read_image(path)
    scale = SPRITE_PX / max(image.shape[:2])
    image = np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )
    thing = foreground(image)
    if not CUT_SHARE[0] < (thing > 0).mean() < CUT_SHARE[1]:
        thing = np.full(image.shape[:2], 255, np.uint8)
    alpha = cv2.dilate(thing, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (RIM_PX, RIM_PX)))
    # Soft at the photograph's edges too.
    alpha = cv2.copyMakeBorder(alpha[2:-2, 2:-2], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 3, borderType=cv2.BORDER_CONSTANT)
    left, top, width, height = cv2.boundingRect(alpha)
    return np.dstack([image, alpha])[top : top + height, left : left + width].astype(np.float32)


def paste(
    frame: Frame, sprite: Sprite, side_px: float, centre: tuple[float, float], gain: float
) -> None:
    """Paste a sprite into a frame, its longer side side_px long, its light times gain."""
    scale = side_px / max(sprite.shape[:2])
    small = cv2.resize(sprite, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + width, frame.shape[1]), min(top + height, frame.shape[0])
    if right <= x or bottom <= y:
        return
    part = small[y - top : bottom - top, x - left : right - left]
    share = part[..., 3:] / 255
    behind = frame[y:bottom, x:right]
    frame[y:bottom, x:right] = (behind * (1 - share) + part[..., :3] * (gain * share)).astype(
        np.uint8
    )


class Actor:
    """A bird or a passing object, with its place at each look."""

    def __init__(
        self,
        paths: Sequence[Path],
        side_px: float,
        start_s: float,
        end_s: float,
        rng: np.random.Generator,
    ) -> None:
        """Draw its places and poses."""
        sprites = [cut_out(path) for path in paths]
        self._looks: list[tuple[Sprite, tuple[float, float]]] = []
        self._side_px, self._start_s = side_px, start_s
        edge = np.minimum(side_px / 2, np.array(FRAME_PX) / 2)  # keeps it within the picture
        home, pose = rng.uniform(edge, FRAME_PX - edge), 0
        side = rng.choice([-1, 1])
        for number in range(int((end_s - start_s) / LOOK_INTERVAL_S) + 1):
            if rng.random() < HOPS:
                home = np.clip(home + rng.normal(0, 0.3 * side_px, 2), edge, FRAME_PX - edge)
                pose = int(rng.integers(2 * len(sprites)))
            away = max(
                0.0,
                1 - number * LOOK_INTERVAL_S / FLIGHT_S,
                1 - (end_s - start_s - number * LOOK_INTERVAL_S) / FLIGHT_S,
            )
            centre = (home[0] + side * away * FRAME_PX[0] / 2, home[1] - away * FRAME_PX[1] / 4)
            sprite = sprites[pose // 2]
            self._looks.append((sprite[:, ::-1] if pose % 2 else sprite, centre))

    def show(self, frame: Frame, time_s: float, gain: float) -> None:
        """Paste it into a frame when it is present."""
        number = int((time_s - self._start_s) // LOOK_INTERVAL_S)
        if 0 <= number < len(self._looks):
            sprite, centre = self._looks[number]
            paste(frame, sprite, self._side_px, centre, gain)


class Passer(Actor):
    """An object that crosses the picture once."""

    def __init__(self, event: Event, rng: np.random.Generator) -> None:
        """Draw its path."""
        super().__init__(
            [event.path], event.size * FRAME_PX[1], event.start_s, event.start_s + PASSING_S, rng
        )
        height, side = rng.uniform(0.3, 0.9) * FRAME_PX[1], rng.choice([0, 1])
        count = len(self._looks)
        self._looks = [
            (sprite, (abs(side - number / (count - 1)) * FRAME_PX[0], height))
            for number, (sprite, _) in enumerate(self._looks)
        ]


def sway(picture: NDArray[np.float32], rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return GRAINS pictures in which leaves, a part of the picture, swing."""
    width, height = FRAME_PX
    field = cv2.resize(
        rng.normal(size=(8, 14)).astype(np.float32), FRAME_PX, interpolation=cv2.INTER_CUBIC
    )
    leaves = np.clip((field - np.quantile(field, 1 - LEAF_SHARE)) * 4, 0, 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    phase = cv2.resize(rng.uniform(0, 9, (9, 16)).astype(np.float32), FRAME_PX)
    moments = []
    for turn in rng.uniform(0, 2 * np.pi, GRAINS):
        shift = (SWAY_PX * leaves * np.sin(turn + phase)).astype(np.float32)
        moments.append(
            np.asarray(
                cv2.remap(
                    picture,
                    x + shift,
                    y + shift / 2,
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REFLECT,
                ),
                np.float32,
            )
        )
    return moments


def scaled(sound: Waveform, level_db: float, rate_hz: int) -> Waveform:
    """Scale a sound so that its loud half is level_db above the steady noise."""
    power = STEADY_RMS**2 * 10 ** (level_db / 10)
    return np.asarray(sound * np.sqrt(power / active_power(sound, rate_hz)), np.float32)


def looped(sound: Waveform, length: int, rate_hz: int) -> Waveform:
    """Repeat a sound to a length in samples, each end faded into the beginning."""
    fade = min(round(FADE_S * rate_hz), len(sound) // 2)
    rise = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    body = sound[:-fade].copy()
    body[:fade] = body[:fade] * rise + sound[-fade:] * rise[::-1]
    return np.resize(body, length)


def sung(song: Waveform, length: int, rate_hz: int, rng: np.random.Generator) -> Waveform:
    """Repeat a song with pauses, to a length in samples."""
    pieces, total = [], 0
    while total < length:
        pause = np.zeros(round(rng.uniform(*PAUSE_S) * rate_hz), np.float32)
        pieces += [song, pause]
        total += len(song) + len(pause)
    return np.concatenate(pieces)[:length]


def add(sound: Waveform, other: Waveform, start: int) -> None:
    """Add another sound in place, from a sample on; cut it off at the end."""
    part = sound[start:][: len(other)]
    part += other[: len(part)]


class Scene:
    """A rendered garden, for `soak.SceneCamera` and `soak.SceneMicrophone`.

    Attributes:
        end_s: Duration.
        rate_hz: Sample rate of the sound.
    """

    def __init__(self, garden: Garden, rate_hz: int, rng: np.random.Generator) -> None:
        """Render the backgrounds and all of the sound."""
        self._garden, self.rate_hz = garden, rate_hz
        self.end_s = garden.end_s
        view = cv2.resize(read_image(garden.view), FRAME_PX).astype(np.float32)
        self._gain = min(1.0, DUSK_LUMA / float(view.mean())) if garden.dusk else 1.0
        grain = rng.normal(
            0, DUSK_NOISE if garden.dusk else NOISE, (GRAINS, FRAME_PX[1], FRAME_PX[0], 1)
        ).astype(np.float32)
        self._calm = [_shot(view * self._gain + noise) for noise in grain]
        self._night = [_shot(view * NIGHT_GAIN + np.abs(noise)) for noise in grain]
        self._gust = (
            [
                _shot(moment * self._gain + noise)
                for moment, noise in zip(sway(view, rng), grain, strict=True)
            ]
            if garden.gusty
            else self._calm
        )
        self._actors: list[Actor] = [Passer(event, rng) for event in garden.passers]
        self._actors += [
            Actor(stay.photographs, stay.size * FRAME_PX[1], stay.seen_from_s, stay.end_s, rng)
            for stay in garden.stays
            if stay.seen_from_s is not None
        ]
        self._sound = self._play(rng)

    def picture(self, time_s: float) -> Frame:
        """Return the picture at a time, uint8 [720, 1280, 3] BGR."""
        number = round(time_s / LOOK_INTERVAL_S) % GRAINS
        if any(
            stay.dark and stay.start_s - NIGHT_S <= time_s < stay.end_s + NIGHT_S
            for stay in self._garden.stays
        ):
            return self._night[number]
        gust = time_s % GUSTS_EVERY_S < GUST_S
        frame = (self._gust if gust else self._calm)[number].copy()
        for actor in self._actors:
            actor.show(frame, time_s, self._gain)
        return frame

    def second(self, index: int) -> Waveform:
        """Return the sound of the second that begins at index, float32 [rate_hz]."""
        return self._sound[index * self.rate_hz : (index + 1) * self.rate_hz]

    def _play(self, rng: np.random.Generator) -> Waveform:
        rate_hz = self.rate_hz
        steady = looped(
            read_audio(self._garden.steady, rate_hz), round(self.end_s * rate_hz), rate_hz
        )
        sound = steady * np.float32(STEADY_RMS / np.sqrt(np.mean(steady.astype(np.float64) ** 2)))
        for stay in self._garden.stays:
            if stay.recording is not None:
                song = scaled(read_audio(stay.recording, rate_hz), stay.snr_db, rate_hz)
                length = round((stay.end_s - stay.start_s) * rate_hz)
                add(sound, sung(song, length, rate_hz, rng), round(stay.start_s * rate_hz))
        for event in self._garden.sounds:
            noise = scaled(read_audio(event.path, rate_hz), event.level_db, rate_hz)
            add(sound, noise, round(event.start_s * rate_hz))
        return np.asarray(np.clip(sound, -1, 1), np.float32)


def _shot(picture: NDArray[Any]) -> Frame:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)
