"""Evidence for 0018: python docs/decisions/0018_speech_gate.py VOICE_DIR BIRD_DIR OUT.csv.

Scenes of 40 s: recordings of birds (a folder a species) throughout, and in the middle of each a voice
for a few seconds, every second one by espeak-ng, else a recording (a flat folder, <kind>__<n>; kinds
that begin with Human). Counts the scenes in which a window that the gate lets through, with its
pre-roll, overlaps the voice, and the windows withheld in the same scenes without a voice.
"""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from birdfield import privacy
from birdfield.audio import Resampler, Waveform, read_audio
from birdfield.config import PACKAGED_YAMNET
from birdfield.embed_file import Part
from birdfield.frontend import CLASSES, YAMNET, Heard, Yamnet
from birdfield.watch import DECISION_S
from birdfield.window import Window

RATE_HZ = YAMNET.rate_hz
SCENE_S, SCENES = 40.0, 100
SNRS_DB = (10.0, 0.0, -10.0)
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
SETS = {"speech": tuple(range(6)), "speech, shouts, whispers": tuple(range(13)),
        "with laughter": tuple(range(19))}
SENTENCES = ("Good morning, look at the feeder.", "Have you seen the keys anywhere?",
             "It is going to rain this afternoon, bring the chairs inside.", "Careful, it is hot!",
             "I will call you back in five minutes.", "The dog was out here again last night.")
VOICES = ("en-us", "en-gb+f3", "de+m2", "fr+f2", "es+m5", "en-us+whisper", "it+f4", "ru+m3")


def spoken(number: int) -> Waveform:
    """Let espeak-ng say a sentence."""
    data = subprocess.run(["espeak-ng", "-v", VOICES[number % len(VOICES)], "--stdout",
                           SENTENCES[number % len(SENTENCES)]], capture_output=True, check=True)
    sound, rate_hz = soundfile.read(io.BytesIO(data.stdout), dtype="float32")
    return Resampler(rate_hz, RATE_HZ).push(sound, last=True)


def trimmed(sound: Waveform) -> Waveform:
    """Cut what is 40 dB below the peak from both ends."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def level(sound: Waveform) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def backdrop(paths: list[Path], rng: np.random.Generator) -> Waveform:
    """Play a random recording of a bird over and over."""
    sound = read_audio(paths[rng.integers(len(paths))], RATE_HZ)
    return np.resize(sound, round(SCENE_S * RATE_HZ))


def windows(scene: Waveform, yamnet: Yamnet) -> Iterator[tuple[float, float, np.ndarray]]:
    """Give the start, the end and the classes' peaks of each window of a scene."""
    start_s = 0.0
    while start_s + YAMNET.window_s <= SCENE_S:
        first = round(start_s * RATE_HZ)
        classes = yamnet.hear(scene[first : first + YAMNET.window]).classes
        yield start_s, start_s + YAMNET.window_s, classes.max(axis=0)
        start_s += DECISION_S


def let_through(rows: list[tuple[float, float, np.ndarray]], classes: tuple[int, ...],
                threshold: float) -> list[tuple[float, float]]:
    """Run the gate as it is, over windows whose score is 1 where it reaches the threshold."""
    gate = privacy.SpeechGate()
    passed: list[tuple[Window, bool]] = []
    for start_s, end_s, peaks in rows:
        scores = np.zeros((1, CLASSES), np.float32)
        scores[0, 0] = peaks[list(classes)].max() >= threshold
        heard = Heard(scores, lambda scores=scores: scores)
        passed += gate.push(Window(datetime.now(UTC), start_s, end_s,
                                   heard=Part(None, None, heard=heard)))
    passed += gate.flush()
    # A clip begins with what the window before holds, where that may be kept.
    return [(window.start_s - (DECISION_S if before else 0.0), window.end_s)
            for (window, kept), before in zip(passed, [False, *(kept for _, kept in passed)],
                                              strict=False) if kept]


def main() -> None:
    """Measure, print and write."""
    voice_dir, bird_dir, out = map(Path, sys.argv[1:])
    birds = sorted(path for path in bird_dir.rglob("*") if path.is_file())
    recorded = sorted(voice_dir.glob("Human*"))
    yamnet = Yamnet(PACKAGED_YAMNET)
    rng = np.random.default_rng(0)
    cases: list[tuple[float | None, tuple[float, float], list]] = []
    for number in range(SCENES):
        bird = backdrop(birds, rng)
        voice = trimmed(spoken(number // 2) if number % 2 else
                        read_audio(recorded[(number // 2) % len(recorded)], RATE_HZ))
        voice = voice[: round(rng.uniform(2, 6) * RATE_HZ)]
        first = rng.integers(12 * RATE_HZ, 20 * RATE_HZ)
        interval = (first / RATE_HZ, (first + len(voice)) / RATE_HZ)
        cases.append((None, interval, list(windows(bird, yamnet))))
        for snr_db in SNRS_DB:
            scene = bird.copy()
            scene[first : first + len(voice)] += voice * np.float32(
                10 ** (snr_db / 20) * level(bird) / level(voice))
            scene /= max(1.0, float(np.abs(scene).max()))
            cases.append((snr_db, interval, list(windows(scene, yamnet))))
    rows = []
    for name, classes in SETS.items():
        for threshold in THRESHOLDS:
            row: dict[str, object] = {"classes": name, "threshold": threshold}
            for snr_db in SNRS_DB:
                leaks = sum(any(start_s < last_s and first_s < end_s for start_s, end_s
                                in let_through(peaks, classes, threshold))
                            for snr, (first_s, last_s), peaks in cases if snr == snr_db)
                row[f"leaking scenes of {SCENES} at {snr_db:+g} dB"] = leaks
            quiet = [peaks for snr, _, peaks in cases if snr is None]
            total = sum(map(len, quiet))
            kept = sum(len(let_through(peaks, classes, threshold)) for peaks in quiet)
            row["windows withheld without a voice"] = round(1 - kept / total, 4)
            rows.append(row)
            print(row)
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
