"""Evidence for 0009: python experiments/0009/operating_point.py MODEL TUNE COUNT BIRDS OUT.csv.

TUNE and COUNT are flat folders of sounds of no bird of which MODEL saw none: by TUNE the least
knownness is chosen, on COUNT it is told what passes. BIRDS holds recordings that MODEL did not
see, a folder a species. Each of the two sides is all windows of its files, and ten hours of a
garden without a bird, in windows as `watch` takes them: pieces of two files mixed, and sounds made
by code.
Prints, for each least knownness, what is named by sound alone and what is left of the birds; then
how many visits the ten hours leave, and which kinds of sound are in what is named.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import chi2

from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.open_model import open_model
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan, scan_flat
from birdfield.recognise.decide import Decision, decide
from birdfield.recognise.embed import EmbeddedSample, hear
from birdfield.recognise.observation import Observation
from birdfield.signals.audio import Waveform, cut_windows, read_audio, read_blocks
from birdfield.signals.damage import mix_noise
from birdfield.signals.usability import window_fault
from birdfield.watch.claims import window_claims
from birdfield.watch.visits import Visit, VisitTracker
from birdfield.watch.window import WINDOW_STEP_S, Window
from birdfield_train.background_data import write_background

HOURS = 10.0
PIECE_S = 12.0
SNRS_DB = (-5.0, 0.0, 5.0)
MADE = 0.2  # of the pieces, by code
GRID = np.round(np.arange(0.0, 0.31, 0.02), 2)


Piece = tuple[Waveform, str]  # a window, and the kinds of sound that are in it


@dataclass(frozen=True)
class Answer:
    """Of a window: what was heard and decided; None where no bird class is in it."""

    kinds: str
    part: EmbeddedSample
    decision: Decision | None


def listen(encoder: Encoder, gallery: Gallery, pieces: Iterable[Piece]) -> list[Answer]:
    """Answer for each usable window by sound alone."""
    answers = []
    for waveform, kinds in pieces:
        if not window_fault(waveform):
            part = hear(encoder, waveform, 0.0, 1.0)
            decision = None if part.background else decide(encoder, gallery, None, part.audio)
            answers.append(Answer(kinds, replace(part, heard=None), decision))
    return answers


def named(answers: Sequence[Answer], least: float) -> list[Answer]:
    """List the answers that name a species when so much knownness is asked for."""
    return [
        answer
        for answer in answers
        if answer.decision is not None and answer.decision.margin_over_unknown >= least
    ]


def visits(encoder: Encoder, gallery: Gallery, answers: Sequence[Answer]) -> list[Visit]:
    """Pool windows as a station does."""
    going_on, found, time = VisitTracker(), [], datetime.now(UTC)
    for index, answer in enumerate(answers):
        start_s = index * WINDOW_STEP_S
        window = Window(time, start_s, start_s + encoder.audio_spec.window_s)
        if answer.decision is not None:
            window = Window(
                time,
                start_s,
                window.end_s,
                {},
                Observation(time, start_s, window.end_s, answer.decision, None, None),
                heard=answer.part,
            )
        going_on.add(window, window_claims(encoder, gallery, window))
        found += going_on.ended(window.end_s)
    return [visit for visit in (*found, *going_on.close()) if visit.species is not None]


def per_hour(count: int) -> tuple[float, float]:
    """Return so many in HOURS as a rate, and its upper 95 % bound by Poisson."""
    return round(count / HOURS, 2), round(float(chi2.ppf(0.95, 2 * (count + 1)) / 2) / HOURS, 2)


def kind_of(path: Path) -> str:
    """Return the kind of a sound of no bird."""
    return path.name.split("__")[0]


def cut(paths: Sequence[Path], encoder: Encoder) -> Iterator[Piece]:
    """Cut files into windows."""
    for path in paths:
        for _, waveform in cut_windows(
            read_blocks(path, encoder.audio_spec.rate_hz), encoder.audio_spec
        ):
            yield waveform, kind_of(path)


def garden(
    paths: Sequence[Path], made: Sequence[Path], encoder: Encoder, seed: int
) -> Iterator[Piece]:
    """Play HOURS of pieces, in windows of a live microphone."""
    rng = np.random.default_rng(seed)
    rate_hz, window = encoder.audio_spec.rate_hz, encoder.audio_spec.window
    files, drawn = (
        [(read_audio(path, rate_hz), kind_of(path)) for path in some] for some in (paths, made)
    )
    step, piece = round(WINDOW_STEP_S * rate_hz), round(PIECE_S * rate_hz)
    held = np.zeros(0, np.float32)
    for _ in range(round(HOURS * 3600 / PIECE_S)):
        first = drawn if rng.random() < MADE else files
        (one, kind), (other, beside) = (
            first[rng.integers(len(first))],
            files[rng.integers(len(files))],
        )
        held = np.concatenate(
            [held, mix_noise(np.resize(one, piece), other, rng.choice(SNRS_DB), rng, rate_hz)]
        )
        while len(held) >= window:
            yield held[:window], f"{kind}+{beside}"
            held = held[step:]


def main() -> None:
    """Embed each window once, then count."""
    model, tune, count, birds, out = map(Path, sys.argv[1:6])
    _, encoder, gallery = open_model(model)
    files, hours = {}, {}
    with TemporaryDirectory() as folder:
        for seed, (name, side) in enumerate({"tune": tune, "count": count}.items()):
            paths = [sample.path for sample in scan_flat(side, Sense.AUDIO)[0]]
            made = sorted(write_background(Path(folder) / name, seed + 1)[1].iterdir())
            files[name] = listen(encoder, gallery, cut([*paths, *made], encoder))
            hours[name] = listen(encoder, gallery, garden(paths, made, encoder, seed))
    heard = {
        sample: listen(encoder, gallery, cut([sample.path], encoder))
        for sample in scan(birds, birds, senses=["audio"]).audio
    }
    total = sum(map(len, heard.values()))
    rows = []
    for least in map(float, GRID):
        row: dict[str, float] = {"least_knownness": least}
        for name in files:
            rate, upper = per_hour(len(named(hours[name], least)))
            row |= {
                f"{name}_files_named": len(named(files[name], least)),
                f"{name}_files_n": len(files[name]),
                f"{name}_named_per_hour": rate,
                f"{name}_upper_95": upper,
            }
        said = [
            (sample.label, answer.decision.top[0][0])
            for sample, answers in heard.items()
            for answer in named(answers, least)
            if answer.decision
        ]
        rows.append(
            row
            | {
                "birds_named": round(len(said) / total, 4),
                "birds_right": round(sum(label == species for label, species in said) / total, 4),
                "birds_n": total,
            }
        )
        print(*rows[-1].values(), flush=True)
    for name, answers in hours.items():
        stays = visits(encoder, gallery, answers)
        kinds = Counter(answer.kinds for answer in named(answers, 0))
        print(
            f"{name}: {len(stays)} visits in {HOURS:g} h, {per_hour(len(stays))} an hour; "
            f"windows named at 0, by kinds: {kinds.most_common(12)}"
        )
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
