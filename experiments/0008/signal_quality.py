"""Record 0008: accuracy when the quality of a signal weights its sense.

    python experiments/0008/signal_quality.py DATA NOISE_DIR MODEL OUT.csv

DATA contains images/ and audio/ that the model was not trained on, NOISE_DIR sounds <kind>__<n>.
The script damages each photograph in every way and mixes each recording with KINDS noises at every
ratio. It divides the species that have both senses into two halves: the first measures each sense
alone by quality and chooses the lowest weight of a bad signal; the second gives the reported
scores.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from birdfield.errors import InputError
from birdfield.evaluate.metrics import auroc
from birdfield.evaluate.noise import EXCERPT_S, SNRS_DB, to_camera_size
from birdfield.evaluate.noise_files import Noises, find_noises
from birdfield.model.bundle import load_bundle
from birdfield.model.encoder import DIM, Encoder, Vector, unit
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.model.tflite import TfliteModel
from birdfield.recognise.dataset import Sample, scan_dataset
from birdfield.recognise.embed import EmbeddedSample, embed_frame, embed_recording, pool_samples
from birdfield.signals.audio import read_audio
from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.image import read_image
from birdfield.signals.noise import mix_noise
from birdfield.signals.usability import frame_fault

KINDS = 3  # of noise, for each recording
PARTNERS = 3  # photographs drawn for each recording in each noise and for each damage
IMAGE_FLOORS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2)
REPORTED_FLOOR = 0.8  # of sight, reported for each condition; sound has weight 1
AUDIO_FLOORS = (1.0, 0.7, 0.4, 0.0)
BINS = 5
SEED = 0


@dataclass(frozen=True)
class Tried:
    """One photograph or recording in one condition; unusable ones have no entry."""

    label: str
    condition: str
    part: EmbeddedSample


Weigh = Callable[[Tried], float]


def photographs(encoder: Encoder, samples: tuple[Sample, ...]) -> Iterator[Tried]:
    """Embed each photograph with each damage."""
    for row, sample in enumerate(samples):
        frame = to_camera_size(read_image(sample.path))
        for place, damage in enumerate(DAMAGES):
            damaged = damage_image(frame, damage, np.random.default_rng((SEED, row, place)))
            if frame_fault(damaged, 0.0) is None:
                yield Tried(sample.label, damage, embed_frame(encoder, damaged))


def recordings(encoder: Encoder, samples: tuple[Sample, ...], noises: Noises) -> Iterator[Tried]:
    """Embed each recording clean, and in KINDS noises at each ratio."""
    rate_hz, kinds = encoder.audio_spec.rate_hz, list(noises.files)
    for row, sample in enumerate(samples):
        waveform = read_audio(sample.path, rate_hz)[: round(EXCERPT_S * rate_hz)]
        sounds = [("clean", waveform)]
        for step in range(KINDS):
            files = noises.files[kinds[(row * KINDS + step) % len(kinds)]]
            noise = read_audio(files[row % len(files)], rate_hz)
            sounds += [
                (
                    f"{snr_db} dB",
                    mix_noise(
                        waveform, noise, snr_db, np.random.default_rng((SEED, row, step)), rate_hz
                    ),
                )
                for snr_db in SNRS_DB
            ]
        for condition, sound in sounds:
            try:
                yield Tried(
                    sample.label,
                    condition,
                    pool_samples(embed_recording(encoder, [sound], "recording")),
                )
            except InputError:
                continue


def fuse(
    fusion: TfliteModel,
    image: Vector | None,
    audio: Vector | None,
    image_weight: float,
    audio_weight: float,
) -> Vector:
    """Fuse as `BundleEncoder.fuse` does, with presences from 0 to 1, of which the ratio counts."""
    presence = np.array([[image is not None, audio is not None]], np.float32)
    if presence.all():
        weights = np.array([[image_weight, audio_weight]], np.float32)
        presence = weights / weights.max() if weights.any() else presence
    zero = np.zeros(DIM, np.float32)
    fused = fusion(
        {
            "image": (zero if image is None else image)[None],
            "audio": (zero if audio is None else audio)[None],
            "presence": presence,
        }
    )
    return unit(fused["embedding"][0])


def right(
    fusion: TfliteModel,
    gallery: Gallery,
    image: Tried | None,
    audio: Tried | None,
    seen: Weigh,
    heard: Weigh,
) -> bool:
    """Return whether the nearest species is the true one."""
    one = image or audio
    assert one is not None
    sense = Sense.BOTH if image and audio else Sense.IMAGE if image else Sense.AUDIO
    fused = fuse(
        fusion,
        image.part.image if image else None,
        audio.part.audio if audio else None,
        seen(image) if image else 1.0,
        heard(audio) if audio else 1.0,
    )
    return gallery.labels[int(gallery.similarities(fused[None], sense)[0].argmax())] == one.label


def ramp(floor: float) -> Weigh:
    """Return the weight that rises linearly with quality from a floor to 1."""
    return lambda tried: floor + (1 - floor) * tried.part.quality


def known(floor: float) -> Weigh:
    """Return the weight by the true signal-to-noise ratio, unknown in practice: 1 from 20 dB on."""

    def weigh(tried: Tried) -> float:
        snr_db = 20.0 if tried.condition == "clean" else float(tried.condition.split()[0])
        return floor + (1 - floor) * (snr_db + 5) / 25

    return weigh


def one(tried: Tried) -> float:
    """Return the same weight for every signal."""
    return 1.0


def pairs(images: list[Tried], audio: list[Tried], half: set[str]) -> list[tuple[Tried, Tried]]:
    """Pair each recording of a half, in each condition, with photographs of each damage."""
    rng = np.random.default_rng(SEED)
    shelves: dict[tuple[str, str], list[Tried]] = {}
    for image in images:
        shelves.setdefault((image.label, image.condition), []).append(image)
    found: list[tuple[Tried, Tried]] = []
    for heard in (sound for sound in audio if sound.label in half):
        for damage in DAMAGES:
            shelf = shelves.get((heard.label, damage), [])
            rows = rng.choice(len(shelf), min(PARTNERS, len(shelf)), replace=False)
            found.extend((shelf[int(row)], heard) for row in rows)
    return found


def top1(
    fusion: TfliteModel,
    gallery: Gallery,
    chosen: list[tuple[Tried, Tried]],
    seen: Weigh,
    heard: Weigh,
) -> dict[tuple[str, str], tuple[float, int]]:
    """Return the share of right answers and n of pairs, by both senses and condition."""
    answers: dict[tuple[str, str], list[bool]] = {}
    for image, audio in chosen:
        answers.setdefault((image.condition, audio.condition), []).append(
            right(fusion, gallery, image, audio, seen, heard)
        )
    return {key: (float(np.mean(rows)), len(rows)) for key, rows in answers.items()}


def by_quality(
    fusion: TfliteModel, gallery: Gallery, tried: list[Tried], sense: Sense
) -> Iterator[list[Any]]:
    """Yield top-1 of a sense alone, from the fifth of lowest quality to the highest."""
    answers = np.array(
        [
            right(
                fusion,
                gallery,
                one_ if sense == Sense.IMAGE else None,
                one_ if sense == Sense.AUDIO else None,
                one,
                one,
            )
            for one_ in tried
        ]
    )
    qualities = np.array([one_.part.quality for one_ in tried])
    for rows in np.array_split(np.argsort(qualities, kind="stable"), BINS):
        yield [
            f"{sense} alone",
            f"quality {qualities[rows].mean():.2f}",
            "",
            len(rows),
            round(float(answers[rows].mean()), 3),
            "",
        ]
    for condition in dict.fromkeys(one_.condition for one_ in tried):
        own = [row for row, one_ in enumerate(tried) if one_.condition == condition]
        yield [
            f"{sense} alone",
            condition,
            f"quality {qualities[own].mean():.2f}",
            len(own),
            round(float(answers[own].mean()), 3),
            "",
        ]
    area = auroc(qualities[answers], qualities[~answers])
    yield [f"{sense} alone", "AUROC of quality", "", len(tried), round(area, 3), ""]


def main() -> None:
    """Embed once, choose on one half, and report on the other."""
    data, noise_dir, model, out = map(Path, sys.argv[1:5])
    bundle = load_bundle(model)
    encoder, gallery = bundle.encoder(2), bundle.factory_gallery()
    fusion = TfliteModel(model / "fusion.tflite", 1)
    dataset = scan_dataset(data / "images", data / Sense.AUDIO)
    images = list(photographs(encoder, dataset.images))
    audio = list(recordings(encoder, dataset.audio, find_noises(noise_dir)))
    shared = sorted({tried.label for tried in images} & {tried.label for tried in audio})
    fitted, reported = set(shared[::2]), set(shared[1::2])
    rows: list[list[Any]] = []
    for sense, tried in ((Sense.IMAGE, images), (Sense.AUDIO, audio)):
        rows += by_quality(fusion, gallery, [one_ for one_ in tried if one_.label in fitted], sense)
    for half, labels in (("chosen on", fitted), ("the other", reported)):
        chosen = pairs(images, audio, labels)
        tries: list[tuple[str, str, Weigh, Weigh]] = [
            (f"from {floor}", "1", ramp(floor), one) for floor in IMAGE_FLOORS
        ]
        tries += [
            ("1", f"{way} from {floor}", one, make(floor))
            for floor in AUDIO_FLOORS[1:]
            for way, make in (("quality", ramp), ("true ratio", known))
        ]
        for sight, sound, seen, heard in tries:
            scores = top1(fusion, gallery, chosen, seen, heard)
            rows.append(
                [
                    half,
                    sight,
                    sound,
                    len(chosen),
                    "",
                    round(float(np.mean([share for share, _ in scores.values()])), 4),
                ]
            )
    chosen = pairs(images, audio, reported)
    before = top1(fusion, gallery, chosen, one, one)
    after = top1(fusion, gallery, chosen, ramp(REPORTED_FLOOR), one)
    rows += [
        ["reported", *key, count, round(share, 3), round(after[key][0], 3)]
        for key, (share, count) in sorted(before.items())
    ]
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["half", "picture", "sound", "n", "top1_unweighted", "top1_weighted"])
        writer.writerows(rows)
    for row in rows:
        print(*row, sep=",")


if __name__ == "__main__":
    main()
