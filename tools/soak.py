"""Soak test: runs a station for a day of scene time: python tools/soak.py BUNDLE [--hours N].

BUNDLE is a toy bundle (`tools/toy_bundle.py`). The station uses both senses and records visits with
evidence; code draws the scene while the station watches it. Prints resident memory, threads and
descriptors every ten minutes of scene time, and the visits that the journal lacks. Exits with 1
when memory grows by more than 5 % after the warm-up, threads or descriptors change, or a visit is
lost.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.capture.shot import Shot, choose_shot, look_for_motion
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.journal.retention import Retention
from birdfield.model.bundle import load_bundle
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.paths import thread_count
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import embed_frame, embed_window
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import crop
from birdfield.signals.image import Frame
from birdfield.signals.motion import LOOK_INTERVAL_S, MotionGate
from birdfield.signals.usability import ChangeTimer
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.scene_start import SceneStart
from birdfield.watch.sources import Sources
from birdfield_train.toy_aviary.plumage import PLUMAGES
from birdfield_train.toy_aviary.scene import AIR_LEVEL, FILM_FOOT, FILM_PX, FILM_SCALE
from birdfield_train.toy_aviary.scenery import Pose, backdrop, perch, place
from birdfield_train.toy_aviary.songs import RATE_HZ, air, song
from birdfield_train.toy_aviary.sprite import sprite

PERIOD_S = 120.0  # a visit begins every two minutes
VISIT_S = 20.0
FIRST_S = 60.0  # the first visit begins here
LOUD = np.float32(0.4)
TRIES = 20  # individuals of a species to try
POSES = 12  # of an individual, in which the model must name it
KNOWN = 0.9  # share of these poses that the model must name rightly
BIRD_BOX = (50, 20, 210, 210)  # the part of the picture that the motion gate crops around it
SLACK_S = 6.0  # the length of a window, by which a visit's times may be off
WARM_UP_H = 0.25
SAMPLE_S = 600.0
FLAT = 0.05


def visit_at(time_s: float) -> int | None:
    """Return the number of the visit in progress, or None."""
    number, into_s = divmod(time_s - FIRST_S, PERIOD_S)
    return int(number) if number >= 0 and into_s < VISIT_S else None


@dataclass(frozen=True)
class Guest:
    """An individual that returns again and again.

    Attributes:
        species: Index in PLUMAGES.
        bird: Its sprite.
        song: Its song of VISIT_S, float32 at RATE_HZ.
    """

    species: int
    bird: NDArray[np.float32]
    song: Waveform

    @property
    def name(self) -> str:
        """Label of its species."""
        return PLUMAGES[self.species].name


def pose(garden: Frame, guest: Guest, step: int) -> NDArray[np.float32]:
    """Return the garden with a guest in its pose at a step of the scene."""
    rng = np.random.default_rng(step)
    foot = (FILM_FOOT[0] + rng.normal(0, 8), FILM_FOOT[1])
    return place(garden, guest.bird, Pose(foot, FILM_SCALE, rng.uniform(-6, 6)))


def known_share(encoder: Encoder, gallery: Gallery, garden: Frame, guest: Guest) -> float:
    """Return the share of a guest's poses, cropped and whole, that a model names rightly."""
    window = encoder.audio_spec.window
    starts = np.linspace(0, len(guest.song) - window, POSES).astype(int)
    right = 0
    for step, start in enumerate(starts):
        shown = pose(garden, guest, step).astype(np.uint8)
        heard = embed_window(encoder, guest.song[start : start + window], 0.0, 1.0).audio
        right += sum(
            decide(encoder, gallery, embed_frame(encoder, part).image, heard).species == guest.name
            for part in (shown, crop(shown, BIRD_BOX))
        )
    return right / (2 * POSES)


def without_unknown(gallery: Gallery) -> Gallery:
    """Return a gallery that always names the nearest species, because the soak tests the station.

    The thresholds of a toy model, fitted on eight portraits of each species, reject many poses in
    the garden, and sometimes all poses of a visit, which is then rightly not recorded.
    """
    return replace(gallery, thresholds=np.full_like(gallery.thresholds, -1))


def find_guests(encoder: Encoder, gallery: Gallery, garden: Frame) -> list[Guest]:
    """Draw one individual of each species that the model recognises in nearly all poses."""
    guests = []
    for species in range(len(PLUMAGES)):
        for seed in range(TRIES):
            rng = np.random.default_rng((species, seed))
            guest = Guest(species, sprite(species, rng), song(species, rng, VISIT_S) * LOUD)
            if known_share(encoder, gallery, garden, guest) >= KNOWN:
                guests.append(guest)
                break
    if len(guests) < 2:
        raise SystemExit(
            f"the model recognises {len(guests)} of {len(PLUMAGES)} species of the toy aviary; "
            "expected at least 2; use a bundle of tools/toy_bundle.py"
        )
    return guests


class Scene:
    """A garden with guests, drawn for any time."""

    rate_hz = RATE_HZ

    def __init__(self, hours: float, encoder: Encoder, gallery: Gallery) -> None:
        """Paint the garden, and find guests that the model recognises."""
        self.end_s = hours * 3600
        rng = np.random.default_rng(0)
        self._garden = backdrop(rng, FILM_PX)
        perch(self._garden, FILM_FOOT, rng)
        self._grain = rng.normal(0, 2, (7, *self._garden.shape)).astype(np.float32)
        self._empty = [self._noisy(self._garden, step) for step in range(28)]
        self._air = air(rng, 60.0) * np.float32(AIR_LEVEL)
        self._guests = find_guests(encoder, gallery, self._garden)

    def guest(self, number: int) -> Guest:
        """Return the guest of a visit."""
        return self._guests[number % len(self._guests)]

    def _noisy(self, seen: NDArray[Any], step: int) -> Frame:
        noise = np.roll(self._grain[step % len(self._grain)], 17 * step % 240, axis=0)
        return np.asarray(np.clip(seen + noise, 0, 255), np.uint8)

    def picture(self, time_s: float) -> Frame:
        """Return the garden at a time, uint8 [240, 320, 3] BGR; a guest moves every half second."""
        step, number = round(time_s / LOOK_INTERVAL_S), visit_at(time_s)
        if number is None:
            return self._empty[step % len(self._empty)]
        return self._noisy(pose(self._garden, self.guest(number), step), step)

    def second(self, index: int) -> Waveform:
        """Return one second of the garden's sound, float32 [RATE_HZ]."""
        first = index % 60 * RATE_HZ
        heard, number = self._air[first : first + RATE_HZ].copy(), visit_at(index)
        if number is not None:
            start = round((index - FIRST_S) % PERIOD_S) * RATE_HZ
            heard += self.guest(number).song[start : start + RATE_HZ]
        return heard


class RenderedScene(Protocol):
    """A scene that code draws while a station watches it.

    Attributes:
        end_s: Duration.
        rate_hz: Sample rate of the sound.
    """

    end_s: float
    rate_hz: int

    def picture(self, time_s: float) -> Frame:
        """Return the picture at a time, uint8 [H, W, 3] BGR."""

    def second(self, index: int) -> Waveform:
        """Return the sound of the second that begins at index, float32 [rate_hz]."""


class SceneCamera:
    """Camera that looks at a scene every LOOK_INTERVAL_S."""

    name, live, throttled, loss, defects = "scene", False, False, None, 0

    def __init__(self, scene: RenderedScene) -> None:
        """Observe a scene."""
        self._scene = scene
        self.end_s = scene.end_s
        self._next_s = 0.0
        self._change, self._gate = ChangeTimer(), MotionGate()
        self._shots: list[Shot] = []

    @property
    def ended(self) -> bool:
        """Whether the scene has ended."""
        return self._next_s >= self.end_s

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Look at the scene until end_s; return the best shot from start_s on, or None."""
        while self._next_s < min(end_s, self.end_s):
            frame = self._scene.picture(self._next_s)
            unchanged_s = self._change.unchanged_s(frame, self._next_s)
            self._shots.append(look_for_motion(self._gate, frame, self._next_s, unchanged_s))
            self._next_s += LOOK_INTERVAL_S
        self._shots = [shot for shot in self._shots if shot.time_s >= start_s]
        return choose_shot(self._shots)

    def close(self) -> None:
        """Do nothing: there is no device."""


class SceneMicrophone:
    """Microphone that listens to a scene at the scene's own rate."""

    name, live, loss, overruns, defects = "scene", False, None, 0, 0

    def __init__(self, scene: RenderedScene) -> None:
        """Observe a scene."""
        self._scene = scene
        self.end_s = scene.end_s
        self._kept = np.zeros(0, np.float32)
        self._first = 0

    @property
    def ended(self) -> bool:
        """Whether the scene has ended."""
        return self._first + len(self._kept) >= self.end_s * self._scene.rate_hz

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Listen until end_s; return the sound from start_s on, or None."""
        rate_hz = self._scene.rate_hz
        first, length = round(start_s * rate_hz), round((end_s - start_s) * rate_hz)
        while not self.ended and self._first + len(self._kept) < first + length:
            index = (self._first + len(self._kept)) // rate_hz
            self._kept = np.concatenate([self._kept, self._scene.second(index)])
        self._kept, self._first = self._kept[first - self._first :], first
        return self._kept[:length].copy() if len(self._kept) >= rate_hz else None

    def close(self) -> None:
        """Do nothing: there is no device."""


def usage() -> tuple[float, int, int]:
    """Return resident memory in MB, threads and descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = len(os.listdir("/proc/self/task"))
    return (pages * os.sysconf("SC_PAGE_SIZE") / 1e6, threads, len(os.listdir("/proc/self/fd")))


def lost_visits(journal: Path, scene: Scene) -> list[str]:
    """List the visits of the script that the journal lacks."""
    with closing(read_journal(journal)) as opened:
        found = [(row.species, row.start_s, row.end_s) for row in visits_of(opened, Selection())]
    lost = []
    for number in range(int((scene.end_s - FIRST_S - VISIT_S) // PERIOD_S) + 1):
        name, start_s = scene.guest(number).name, FIRST_S + number * PERIOD_S
        if not any(
            species == name and begin < start_s + VISIT_S + SLACK_S and end > start_s - SLACK_S
            for species, begin, end in found
        ):
            lost.append(f"{name} at {timedelta(seconds=start_s)}")
    print(f"{len(found)} visits in the journal; {len(lost)} of {number + 1} of the script lost")
    return lost


def soak(bundle_path: Path, folder: Path, hours: float) -> bool:
    """Watch a scene for some hours; return whether the test passes."""
    bundle = load_bundle(bundle_path)
    encoder = bundle.encoder(thread_count())
    gallery = without_unknown(bundle.factory_gallery())
    scene = Scene(hours, encoder, gallery)
    recogniser = Recogniser(encoder, gallery, bundle.model_id, crop_margin=bundle.crop_margin)
    sources = Sources(SceneCamera(scene), SceneMicrophone(scene))
    settings = RecorderSettings(retention=Retention(max_bytes=20_000_000, min_free_bytes=0))
    recorder = Recorder(open_journal(folder), recogniser, sources.info, settings)
    start = SceneStart(datetime.now(UTC) - timedelta(seconds=scene.end_s))
    recorder.start(start.time)
    watch = SceneWatcher(recogniser, sources, fast=True, start=start)
    began_s, next_s, samples = time.monotonic(), WARM_UP_H * 3600, []
    print("scene hours  MB resident  threads  descriptors  times real time")
    for window in watch.windows():
        recorder.add(window)
        if window.end_s >= next_s:
            samples.append(usage())
            next_s += SAMPLE_S
            pace = window.end_s / (time.monotonic() - began_s)
            print(
                f"{window.end_s / 3600:11.2f}  {samples[-1][0]:11.1f}  {samples[-1][1]:7}  "
                f"{samples[-1][2]:11}  {pace:15.1f}",
                flush=True,
            )
    recorder.close()
    memory = [sample[0] for sample in samples]
    growth = max(memory) / memory[0] - 1
    print(f"memory after the warm-up: {memory[0]:.1f} MB, at most {max(memory):.1f}: {growth:+.1%}")
    lost = lost_visits(folder, scene)
    for visit in lost:
        print(f"  lost: {visit}")
    steady = all(sample[1:] == samples[0][1:] for sample in samples)
    return growth <= FLAT and steady and not lost


def main() -> int:
    """Run the soak test; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--hours", type=float, default=24.0, help="Hours of scene time.")
    arguments = parser.parse_args()
    if not arguments.hours > WARM_UP_H:
        parser.error(
            f"--hours is {arguments.hours:g}; expected more than the {WARM_UP_H:g} h of the warm-up"
        )
    with tempfile.TemporaryDirectory() as folder:
        good = soak(arguments.bundle, Path(folder) / "journal", arguments.hours)
    print("passed" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
