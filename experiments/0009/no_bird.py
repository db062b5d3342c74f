"""Record 0009: false names in background sound by the way of rejecting it.

    python experiments/0009/no_bird.py RUN NO_BIRD_DIR BIRD_DIR OUT.csv

Counts the species named by sound alone in an hour of mixed background sounds (a flat folder; RUN
was trained on its files at even places only), and the right answers on recordings that RUN was not
trained on (a folder for each species). Compares thresholds, background prototypes and gates.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from birdfield.model.encoder import Vectors
from birdfield.model.gallery import Gallery, margin_over_unknown
from birdfield.model.sense import Sense
from birdfield.recognise import bird_gate
from birdfield.recognise.dataset import scan_dataset, scan_flat
from birdfield.signals.audio import Waveform, read_audio, read_blocks
from birdfield.signals.noise import mix_noise
from birdfield.signals.usability import window_fault
from birdfield.signals.windows import cut_windows
from birdfield_train.run_encoder import Run, RunEncoder

HOUR_S = 3600
SNRS_DB = (-5.0, 0.0, 5.0)
CHOICES = ((0.05, 0.05), (0.1, 0.1), (0.1, 0.3), (0.2, 0.2), (0.2, 0.4), (0.3, 0.3), (0.3, 0.5))
NO_GATE = (0.0, 0.0)

Rows = tuple[Vectors, NDArray[np.float32], NDArray[np.float32]]  # fused, bird, voice


def listen(encoder: RunEncoder, waveforms: Iterator[Waveform]) -> Rows:
    """Embed windows; return them with the highest score of a bird and of a voice in each."""
    fused, birds, voices = [], [], []
    for waveform in waveforms:
        if window_fault(waveform):
            continue
        heard = encoder.extract_features(waveform)
        fused.append(encoder.fuse(None, encoder.audio_vector(heard.embeddings)))
        birds.append(heard.class_scores[:, bird_gate.BIRD_CLASSES].max())
        voices.append(heard.class_scores[:, bird_gate.VOICE_CLASSES].max())
    return np.stack(fused), np.array(birds), np.array(voices)


def cut(path: Path, encoder: RunEncoder) -> Iterator[Waveform]:
    """Yield the windows of a file."""
    for _, waveform in cut_windows(
        read_blocks(path, encoder.audio_spec.rate_hz), encoder.audio_spec
    ):
        yield waveform


def an_hour(paths: Sequence[Path], encoder: RunEncoder) -> Iterator[Waveform]:
    """Yield an hour of windows, each a mixture of two random files."""
    rng = np.random.default_rng(0)
    rate_hz, window = encoder.audio_spec.rate_hz, encoder.audio_spec.window
    sounds = [read_audio(path, rate_hz) for path in paths]
    for _ in range(round(HOUR_S * rate_hz / window)):
        first, second = (sounds[row] for row in rng.choice(len(sounds), 2, replace=False))
        start = int(rng.integers(max(len(first) - window, 0) + 1))
        yield mix_noise(first[start : start + window], second, rng.choice(SNRS_DB), rng, rate_hz)


def answers(gallery: Gallery, rows: Rows, gate: tuple[float, float]) -> NDArray[np.int64]:
    """Return the answer of each window by sound alone: the index of a species, or -1."""
    fused, bird, voice = rows
    similarities = gallery.similarities(fused, Sense.AUDIO)
    background_similarities = gallery.background_similarity(fused, Sense.AUDIO)
    known = margin_over_unknown(similarities, background_similarities, gallery, Sense.AUDIO) >= 0
    heard = bird >= np.where(voice >= bird_gate.LOUD_VOICE_SCORE, gate[1], gate[0])
    return np.where(known & heard, similarities.argmax(axis=1), -1)


def main() -> None:
    """Embed each window once, then count for each way of rejecting."""
    run_folder, no_bird, birds, out = map(Path, sys.argv[1:5])
    run = Run(run_folder)
    encoder, gallery = RunEncoder(run), run.gallery()
    bare = replace(
        gallery,
        background_vectors=gallery.background_vectors[:0],
        background_senses=gallery.background_senses[:0],
    )
    paths = [sample.path for sample in scan_flat(no_bird, Sense.AUDIO)[0]]
    tuned, counted = (
        listen(encoder, (one for path in half for one in cut(path, encoder)))
        for half in (paths[::2], paths[1::2])
    )
    hour = listen(encoder, an_hour(paths[1::2], encoder))
    samples = scan_dataset(birds, birds, senses=[Sense.AUDIO]).audio
    found = [
        (gallery.labels.index(sample.label), listen(encoder, cut(sample.path, encoder)))
        for sample in samples
    ]
    truth = np.concatenate([np.full(len(rows[1]), label) for label, rows in found])
    known: Rows = tuple(
        np.concatenate(parts) for parts in zip(*(rows for _, rows in found), strict=True)
    )  # type: ignore[assignment]
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            [
                "no_bird_prototypes",
                "quiet",
                "clear",
                "tuned_false",
                "tuned_n",
                "counted_false",
                "counted_n",
                "hour_false",
                "hour_n",
                "hour_upper_95",
                "birds_heard",
                "birds_answered",
                "birds_right",
                "birds_n",
            ]
        )
        for name, used in (("no", bare), ("yes", gallery)):
            for gate in (NO_GATE, *CHOICES):
                false = [
                    int((answers(used, rows, gate) >= 0).sum()) for rows in (tuned, counted, hour)
                ]
                said = answers(used, known, gate)
                voiced = known[2] >= bird_gate.LOUD_VOICE_SCORE
                heard = known[1] >= np.where(voiced, gate[1], gate[0])
                row = [
                    name,
                    *gate,
                    false[0],
                    len(tuned[1]),
                    false[1],
                    len(counted[1]),
                    false[2],
                    len(hour[1]),
                    round(float(chi2.ppf(0.95, 2 * (false[2] + 1)) / 2), 2),
                    round(float(heard.mean()), 4),
                    round(float((said >= 0).mean()), 4),
                    round(float((said == truth).mean()), 4),
                    len(truth),
                ]
                writer.writerow(row)
                print(*row, flush=True)


if __name__ == "__main__":
    main()
