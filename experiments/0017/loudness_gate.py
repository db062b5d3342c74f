"""Record 0017: windows that the loudness gate rejects and passes.

    python experiments/0017/loudness_gate.py DATA OUT.csv

After HUSH_S of a background sound, one of EACH recordings of DATA/train/audio plays over it, at
LEVELS_DB of full scale or at a ratio to the background. The script counts the windows in which
YAMNet detects a bird and that the gate rejects, and the windows of background alone that pass.
"""

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

from birdfield.model.audio_specs import YAMNET
from birdfield.model.open_frontend import open_frontend
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.bird_gate import is_background
from birdfield.signals.audio import read_audio
from birdfield.signals.loudness_gate import LoudnessGate
from birdfield.watch.window import WINDOW_STEP_S

RATE_HZ = YAMNET.rate_hz
HUSH_S, ALONE_S = 50.0, 170.0
EACH = 12  # one of this many recordings is used
HISS_DB = -65.0  # a microphone's own noise
LEVELS_DB = (-40, -60)  # of the recording, over the hiss
SNRS_DB = (10, 0)  # of the recording to another background
BACKGROUNDS = ("Wind", "Rain", "Traffic", "Air_conditioner_hum", "Sea_waves", "Train")


def at_level(sound: Any, level_db: float) -> Any:
    return sound * (10 ** (level_db / 20) / max(float(np.sqrt((sound**2).mean())), 1e-9))


def background(data: Path, kind: str, length_s: float, rng: np.random.Generator) -> Any:
    """Return files of a kind, joined, at -40 dB; or hiss at HISS_DB."""
    count = round(length_s * RATE_HZ)
    if kind == "hiss":
        return at_level(rng.normal(size=count), HISS_DB).astype(np.float32)
    paths = sorted((data / "negatives/audio").glob(f"{kind}__*"))
    cuts, have = [], 0
    while have < count:
        cuts.append(at_level(read_audio(paths[int(rng.integers(len(paths)))], RATE_HZ), -40))
        have += len(cuts[-1])
    return np.concatenate(cuts)[:count].astype(np.float32)


def passed(gate: LoudnessGate, sound: Any, from_s: float) -> list[tuple[Any, bool]]:
    """Pass all windows through the gate; return those after from_s, and whether they passed."""
    length, found = round(YAMNET.window_s * RATE_HZ), []
    for index in range(int((len(sound) / RATE_HZ - YAMNET.window_s) / WINDOW_STEP_S) + 1):
        start_s = index * WINDOW_STEP_S
        window = sound[round(start_s * RATE_HZ) :][:length]
        through = gate.stands_out(window, start_s)
        if start_s >= from_s:
            found.append((window, through))
    return found


def main() -> None:
    """Measure every background and level; print and write the counts."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    rng, yamnet = np.random.default_rng(0), open_frontend("yamnet", PACKAGED_YAMNET)
    rows: list[list[Any]] = []
    for kind in ("hiss", *BACKGROUNDS):
        alone = passed(LoudnessGate(RATE_HZ), background(data, kind, ALONE_S, rng), HUSH_S)
        rows.append(
            [kind, "alone", "windows let through", len(alone), sum(through for _, through in alone)]
        )
    recordings = [
        read_audio(path, RATE_HZ)[: 15 * RATE_HZ]
        for path in sorted((data / "train/audio").glob("*/*"))[::EACH]
    ]
    recordings = [sound for sound in recordings if len(sound) >= YAMNET.window_s * RATE_HZ]
    for kind, levels in (
        ("hiss", LEVELS_DB),
        ("Wind", SNRS_DB),
        ("Rain", SNRS_DB),
        ("Traffic", SNRS_DB),
    ):
        for level in levels:
            heard = held = 0
            for sound in recordings:
                hush = background(data, kind, HUSH_S + len(sound) / RATE_HZ, rng)
                bird = at_level(sound, level if kind == "hiss" else level - 40)
                scene = hush.copy()
                scene[-len(bird) :] += bird[: len(scene)]
                for window, through in passed(LoudnessGate(RATE_HZ), scene, HUSH_S):
                    if not is_background(yamnet.extract_features(window).class_scores):
                        heard, held = heard + 1, held + (not through)
            rows.append([kind, f"{level} dB", "windows with a bird held back", heard, held])
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["background", "bird", "what", "windows", "count"])
        writer.writerows(rows)
    for row in rows:
        print(*row, sep=",")


if __name__ == "__main__":
    main()
