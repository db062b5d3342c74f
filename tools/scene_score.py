"""Scene score: counts the visits that a station finds in rendered gardens.

    python tools/scene_score.py MODEL IMAGES AUDIO NO_IMAGES NO_AUDIO OUT.csv

IMAGES and AUDIO contain one folder for each species, with files that MODEL was not trained on;
NO_IMAGES and NO_AUDIO are flat folders of background. The script draws gardens by a seed
(`garden_script.py`), renders them (`garden.py`), and watches them as `birdfield watch --fast
--journal` does: by both senses, by sight alone, and by sound alone. It compares the visits of the
journal with the script, and prints and writes to OUT.csv the results for each kind of visit.
"""

import argparse
import csv
import hashlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from garden import Scene
from garden_script import Stay, draw_script, find_files
from numpy.typing import NDArray
from soak import SceneCamera, SceneMicrophone

from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.model.bundle import Bundle, load_bundle
from birdfield.model.encoder import BundleEncoder, Encoder, Vector
from birdfield.model.frontend import SoundFeatures
from birdfield.paths import thread_count
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import Recorder
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.scene_start import SceneStart
from birdfield.watch.sources import Sources

Embedding = TypeVar("Embedding")

VISITS = 160
SENSES = {"both": ("image", "audio"), "sight": ("image",), "sound": ("audio",)}
GROUPS: dict[str, Callable[[Stay], Any]] = {
    "kind": lambda stay: stay.kind,
    "size": lambda stay: stay.size if stay.photographs else None,
    "SNR": lambda stay: stay.snr_db if stay.recording else None,
    "by night": lambda stay: "yes" if stay.dark else None,
}


@dataclass(frozen=True)
class Found:
    """A visit that a station recorded; species is None when it is undecided."""

    species: str | None
    start_s: float
    end_s: float


class CachingEncoder:
    """An encoder that embeds nothing twice, because a garden is watched three times."""

    def __init__(self, encoder: BundleEncoder) -> None:
        """Wrap an encoder."""
        self._encoder = encoder
        self._cache: dict[tuple[str, bytes], Any] = {}
        self.audio_spec, self.fuse = encoder.audio_spec, encoder.fuse

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture."""
        return self._once(self._encoder.image_vector, image)

    def audio_vector(self, frames: NDArray[np.float32]) -> Vector:
        """Embed a window of the frontend's embeddings."""
        return self._once(self._encoder.audio_vector, frames)

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Return what the frontend hears in a waveform."""
        return self._once(self._encoder.extract_features, waveform)

    def _once(self, embed: Callable[[Any], Embedding], values: NDArray[Any]) -> Embedding:
        key = embed.__name__, hashlib.sha256(np.ascontiguousarray(values).data).digest()
        found: Embedding | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = embed(values)
        return found


def watch_garden(
    scene: Scene, senses: Sequence[str], encoder: Encoder, bundle: Bundle
) -> list[Found]:
    """Watch a garden by some senses; return the visits of the journal."""
    gallery = bundle.factory_gallery()
    recogniser = Recogniser(encoder, gallery, bundle.model_id, crop_margin=bundle.crop_margin)
    sources = Sources(
        SceneCamera(scene) if "image" in senses else None,
        SceneMicrophone(scene) if "audio" in senses else None,
    )
    start = SceneStart(datetime.now(UTC) - timedelta(seconds=sources.end_s))
    watch = SceneWatcher(recogniser, sources, fast=True, start=start)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(open_journal(Path(folder)), recogniser, sources.info)
        recorder.start(start.time)
        for window in watch.windows():
            recorder.add(window)
        recorder.close()
        with closing(read_journal(Path(folder))) as journal:
            return [
                Found(row.species, row.start_s, row.end_s)
                for row in visits_of(journal, Selection())
            ]


def match(found: Sequence[Found], stays: Sequence[Stay]) -> list[Stay | None]:
    """Match each named visit to a stay of its species at the same time, or to None.

    Each stay is matched once: a second visit of the same bird is wrong.
    """
    left = list(stays)
    matched: list[Stay | None] = []
    for visit in found:
        stay = next(
            (
                stay
                for stay in left
                if stay.species == visit.species
                and stay.start_s < visit.end_s
                and visit.start_s < stay.end_s
            ),
            None,
        )
        if stay is not None:
            left.remove(stay)
        matched.append(stay)
    return matched


def tabulate(gardens: Sequence[tuple[Sequence[Found], Sequence[Stay]]]) -> list[dict[str, Any]]:
    """Count visits and stays of all gardens together, and of each group of birds."""
    stays = [stay for _, there in gardens for stay in there]
    named = [[visit for visit in found if visit.species is not None] for found, _ in gardens]
    right = [
        stay
        for found, (_, there) in zip(named, gardens, strict=True)
        for stay in match(found, there)
        if stay is not None
    ]
    count = sum(map(len, named))
    rows: list[dict[str, Any]] = [
        {
            "group": "all",
            "there": len(stays),
            "found": len(right),
            "recall": round(len(right) / len(stays), 4),
            "named": count,
            "undecided": sum(len(found) for found, _ in gardens) - count,
            "precision": round(len(right) / max(count, 1), 4),
        }
    ]
    for name, value_of in GROUPS.items():
        for value in sorted({value_of(stay) for stay in stays} - {None}):
            there = [stay for stay in stays if value_of(stay) == value]
            hits = sum(value_of(stay) == value for stay in right)
            rows.append(
                {
                    "group": f"{name} {value}",
                    "there": len(there),
                    "found": hits,
                    "recall": round(hits / len(there), 4),
                }
            )
    return rows


def write_rows(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a CSV with the columns of the first row."""
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    """Watch all gardens; print and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", type=Path, nargs=4, metavar="FOLDER")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visits", type=int, default=VISITS)
    parser.add_argument(
        "--half", type=int, choices=(0, 1), help="Use only this half of the birds' files."
    )
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.model)
    files = find_files(arguments.folders, arguments.half)
    script = draw_script(files, arguments.visits, arguments.seed)
    watched: dict[str, list[tuple[list[Found], tuple[Stay, ...]]]] = {name: [] for name in SENSES}
    for number, garden in enumerate(script):
        encoder = CachingEncoder(bundle.encoder(thread_count()))
        scene = Scene(
            garden, encoder.audio_spec.rate_hz, np.random.default_rng((arguments.seed, number))
        )
        for name, senses in SENSES.items():
            watched[name].append((watch_garden(scene, senses, encoder, bundle), garden.stays))
            row = tabulate(watched[name][-1:])[0]
            print(
                f"garden {number + 1} of {len(script)}, {name}: {row['there']} there, "
                f"{row['named']} named, {row['found']} of these right",
                flush=True,
            )
    hours = sum(garden.end_s for garden in script) / 3600
    print(f"{hours:.2f} h of scene in {len(script)} gardens")
    rows = [{"senses": name, **row} for name, found in watched.items() for row in tabulate(found)]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    write_rows(arguments.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
