"""Record 0018: voices that the speech gate passes, and bird sound that it withholds.

    python experiments/0018/speech_gate.py VOICE_DIR BIRD_DIR OUT.csv

Each scene of 40 s is a recording of birds (a folder for each species) with a voice of 2 to 6 s in
the middle: every second one by espeak-ng, the others recorded (a flat folder of <kind>__<n>; kinds
that begin with Human). The script counts the scenes in which a clip that the gate allows, with its
pre-roll, overlaps the voice, and the sound withheld of the same scenes without a voice.
"""

import csv
import io
import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.embed import EmbeddedSample
from birdfield.signals.audio import Resampler, Waveform, read_audio
from birdfield.watch import speech_gate
from birdfield.watch.window import WINDOW_STEP_S, Window

RATE_HZ = YAMNET.rate_hz
SCENE_S, SCENES = 40.0, 100
SNRS_DB = (10.0, 0.0, -10.0)
THRESHOLDS = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.2, 0.5)
SETS = {"speech": tuple(range(6)), "with shouts, whispers and laughter": speech_gate.SPEECH_CLASSES}
SENTENCES = (
    "Good morning, look at the feeder.",
    "Have you seen the keys anywhere?",
    "It is going to rain this afternoon, bring the chairs inside.",
    "Careful, it is hot!",
    "I will call you back in five minutes.",
    "The dog was out here again last night.",
)
VOICES = ("en-us", "en-gb+f3", "de+m2", "fr+f2", "es+m5", "en-us+whisper", "it+f4", "ru+m3")


NO_FRAMES = np.zeros((1, YAMNET.dim), np.float32)

Row = tuple[float, float, np.ndarray]  # of a window: start, end, classes [patches, 521]
Case = tuple[float | None, tuple[float, float], list[Row]]


def spoken(number: int) -> Waveform:
    """Return a sentence spoken by espeak-ng."""
    data = subprocess.run(
        [
            "espeak-ng",
            "-v",
            VOICES[number % len(VOICES)],
            "--stdout",
            SENTENCES[number % len(SENTENCES)],
        ],
        capture_output=True,
        check=True,
    )
    sound, rate_hz = soundfile.read(io.BytesIO(data.stdout), dtype="float32")
    return Resampler(rate_hz, RATE_HZ).push(sound, last=True)


def trimmed(sound: Waveform) -> Waveform:
    """Cut sound that is 40 dB below the peak from both ends."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def level(sound: Waveform) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def backdrop(paths: list[Path], rng: np.random.Generator) -> Waveform:
    """Return a random recording of a bird, repeated for the whole scene."""
    sound = read_audio(paths[rng.integers(len(paths))], RATE_HZ)
    return np.resize(sound, round(SCENE_S * RATE_HZ))


def windows(scene: Waveform, yamnet: Yamnet) -> Iterator[Row]:
    """Yield the start, the end and the classes of each window of a scene."""
    start_s = 0.0
    while start_s + YAMNET.window_s <= SCENE_S:
        first = round(start_s * RATE_HZ)
        classes = yamnet.extract_features(scene[first : first + YAMNET.window]).class_scores
        yield start_s, start_s + YAMNET.window_s, classes
        start_s += WINDOW_STEP_S


def let_through(rows: list[Row], threshold: float, alone: bool) -> list[tuple[float, float]]:
    """Return start and end of the clips that the gate allows.

    Args:
        rows: The windows of a scene.
        threshold: Replaces the gate's own.
        alone: Whether the highest patch decides alone, instead of two patches.
    """
    speech_gate.SPEECH_THRESHOLD = threshold
    gate = speech_gate.SpeechGate()
    passed: list[tuple[Window, bool]] = []
    for start_s, end_s, classes in rows:
        scores = np.repeat(classes, 2, axis=0) if alone else classes
        heard = SoundFeatures(NO_FRAMES, scores.copy)
        passed += gate.push(
            Window(
                datetime.now(UTC), start_s, end_s, heard=EmbeddedSample(None, None, features=heard)
            )
        )
    passed += gate.flush()
    # A clip begins in the window before, when that may be kept.
    return [
        (window.start_s - (WINDOW_STEP_S if before else 0.0), window.end_s)
        for (window, kept), before in zip(
            passed, [False, *(kept for _, kept in passed)], strict=False
        )
        if kept
    ]


def scenes(voice_dir: Path, bird_dir: Path) -> Iterator[Case]:
    """Yield each scene's ratio (None without a voice), the times of the voice, and the windows."""
    birds = sorted(path for path in bird_dir.rglob("*") if path.is_file())
    recorded = sorted(voice_dir.glob("Human*"))
    yamnet = Yamnet(PACKAGED_YAMNET)
    rng = np.random.default_rng(0)
    for number in range(SCENES):
        bird = backdrop(birds, rng)
        voice = trimmed(
            spoken(number // 2)
            if number % 2
            else read_audio(recorded[(number // 2) % len(recorded)], RATE_HZ)
        )
        voice = voice[: round(rng.uniform(2, 6) * RATE_HZ)]
        first = rng.integers(12 * RATE_HZ, 20 * RATE_HZ)
        interval = (first / RATE_HZ, (first + len(voice)) / RATE_HZ)
        yield None, interval, list(windows(bird, yamnet))
        for snr_db in SNRS_DB:
            scene = bird.copy()
            scene[first : first + len(voice)] += voice * np.float32(
                10 ** (snr_db / 20) * level(bird) / level(voice)
            )
            scene /= max(1.0, float(np.abs(scene).max()))
            yield snr_db, interval, list(windows(scene, yamnet))


def main() -> None:
    """Measure each set of classes and threshold; print and write the results."""
    voice_dir, bird_dir, out = map(Path, sys.argv[1:])
    cases = list(scenes(voice_dir, bird_dir))
    rows = []
    for (name, speech_gate.SPEECH_CLASSES), alone, threshold in itertools.product(
        SETS.items(), (True, False), THRESHOLDS
    ):
        row: dict[str, object] = {
            "classes": name,
            "patches": 1 if alone else 2,
            "threshold": threshold,
        }
        for snr_db in SNRS_DB:
            row[f"leaks of {SCENES} at {snr_db:+g} dB"] = sum(
                any(
                    start_s < last_s and first_s < end_s
                    for start_s, end_s in let_through(windows, threshold, alone)
                )
                for snr, (first_s, last_s), windows in cases
                if snr == snr_db
            )
        kept = [
            (len(let_through(windows, threshold, alone)), len(windows))
            for snr, _, windows in cases
            if snr is None
        ]
        row["withheld without a voice"] = round(
            1 - sum(few for few, _ in kept) / sum(many for _, many in kept), 3
        )
        row["scenes without any sound"] = sum(not few for few, _ in kept)
        rows.append(row)
        print(*row.values())
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
