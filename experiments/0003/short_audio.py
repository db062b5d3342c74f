"""Record 0003: audio top-1 of recordings that are shorter than a window.

    python experiments/0003/short_audio.py RUN IMAGE_DIR AUDIO_DIR OUT.csv

Cuts recordings that RUN was not trained on to a few patches. Compares the patches repeated to the
tower's length with a tower of just that length, which is what perfect masking would give.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_dataset
from birdfield.signals.audio import read_audio
from birdfield.signals.windows import repeat_patches
from birdfield_train.run_encoder import Run, RunEncoder
from birdfield_train.towers import audio_tower

LENGTHS = (1, 2, 3, 5, 7, YAMNET.patches_per_window)


def main() -> None:
    """Measure both ways for each length."""
    run, images, audio, out = map(Path, sys.argv[1:5])
    opened = Run(run)
    encoder, gallery = RunEncoder(opened), opened.gallery()
    masked = audio_tower(None, YAMNET.dim)
    masked.set_weights(opened.heads.audio.get_weights())
    right: dict[tuple[str, int], list[bool]] = {}
    for sample in scan_dataset(images, audio).audio:
        frames = encoder.extract_features(read_audio(sample.path, YAMNET.rate_hz)).embeddings
        label = gallery.labels.index(sample.label)
        for length in LENGTHS:
            # Cut from the loudest patch on, as a detector would. The mean over channels stands for
            # loudness, because only YAMNet's embedding of the sound is available here.
            peak = int(frames.mean(axis=1).argmax())
            start = max(0, min(peak, len(frames) - length))
            short = frames[start : start + length]
            vectors = {
                "repeated": encoder.audio_vector(repeat_patches(short, YAMNET.patches_per_window)),
                "masked": unit(masked.predict_on_batch(short[None])[0]),
            }
            for way, vector in vectors.items():
                nearest = gallery.similarities(encoder.fuse(None, vector)[None], Sense.AUDIO)[0]
                right.setdefault((way, length), []).append(int(nearest.argmax()) == label)
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["way", "patches", "n", "audio_top1"])
        for (way, length), found in sorted(right.items()):
            writer.writerow([way, length, len(found), round(float(np.mean(found)), 4)])
            print(way, length, len(found), round(float(np.mean(found)), 4))


if __name__ == "__main__":
    main()
