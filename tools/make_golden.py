"""The fixtures of tests/test_golden.py: python tools/make_golden.py, with the train extra.

It ran once, on the code of 0.1.0; what it wrote is in tests/golden. `--expected` writes the
expected outputs anew from the fixtures that are there, and nothing else.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import soundfile

from birdfield.audio import read_audio
from birdfield.bundle import load_bundle
from birdfield.decide import decide
from birdfield.embed_file import embed_file
from birdfield.encoder import Encoder
from birdfield.evidence import Keepsakes, Picture, Sound, write_evidence
from birdfield.gallery import Gallery
from birdfield.identify import identify_file
from birdfield.image import read_image
from birdfield.journal import Journal, VisitEntry, open_journal
from birdfield.model import open_model
from birdfield_train.toy_aviary import SPECIES, draw_bird, sing, write_dataset
from birdfield_train.toy_aviary.scene import FRAME_HZ, Visit, film, soundtrack
from birdfield_train.toy_aviary.songs import RATE_HZ

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
BUNDLE = "garden.birdfield"
TRAINED, ENROLLED = SPECIES[:5], SPECIES[5]
REMOVED, RENAMED, NEW_NAME = SPECIES[3], SPECIES[4], "Osier Trillet"
KEPT = (SPECIES[0], SPECIES[1], ENROLLED)  # of which there are input files
SEED = 77  # of the input files: no individual of theirs was trained on
DRAWS, SURE, CLEAR = 100, 0.01, 0.05  # of an input file; knownness and margin, in cosine
SMALL_PX, SMALL_QUALITY, SMALL_S = (160, 120), 75, 1.2  # of the journal's evidence
Write = Callable[[Path, int, np.random.Generator], None]
DAWN = datetime(2026, 5, 1, 4, 30, tzinfo=UTC)


def write_training(folder: Path) -> None:
    """Write the data set; the species to enrol lies beside it."""
    write_dataset(folder, photographs=24, recordings=4)
    (folder / "enrol").mkdir()
    for kind in ("images", "audio"):
        shutil.move(folder / kind / ENROLLED.replace(" ", "_"), folder / "enrol" / kind)
    shutil.copyfile(GOLDEN / "names.csv", folder / "names.csv")


def write_names(path: Path) -> None:
    """Write invented names, as birdfield train --names takes them."""
    lines = [f"{name},Avis {name.split()[0].lower()}a,de,{name.split()[1]}vogel"
             for name in SPECIES]
    path.write_text("\n".join(["label,scientific,lang,name", *lines]) + "\n")


def write_inputs(folder: Path) -> None:
    """Write a photograph and a recording of each of KEPT, a long recording, and a scene.

    Each is the first that is told clearly: a rounding on another machine changes no answer.
    """
    _, encoder, gallery = open_model(folder / BUNDLE)

    def pick(path: Path, name: str, seed: int, write: Write) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for rng in np.random.default_rng(seed).spawn(DRAWS):
            write(path, SPECIES.index(name), rng)
            found = [each.decision for each in identify_file(encoder, gallery, path, False)]
            if all(each.species == name and each.knownness > SURE and each.margin > CLEAR
                   for each in found):
                print(f"{path.name}: {name} {[round(each.knownness, 3) for each in found]}")
                return
        raise SystemExit(f"{path}: none of {DRAWS} is clearly of {name}")

    for name in KEPT:
        place = name.replace(" ", "_")
        pick(folder / "images" / place / "bird.jpg", name, SEED, write_photograph)
        pick(folder / "audio" / place / "song.wav", name, SEED, write_song)
    pick(folder / "long.ogg", KEPT[0], SEED + 1, partial(write_song, length_s=11.0))
    write_scene(folder, np.random.default_rng(SEED + 1))


def write_photograph(path: Path, species: int, rng: np.random.Generator) -> None:
    """Write a photograph of an individual."""
    cv2.imwrite(str(path), draw_bird(species, rng, (200, 200)), [cv2.IMWRITE_JPEG_QUALITY, 85])


def write_song(path: Path, species: int, rng: np.random.Generator, length_s: float = 2.5) -> None:
    """Write a recording of an individual."""
    soundfile.write(path, sing(species, rng, length_s), RATE_HZ)


def write_scene(folder: Path, rng: np.random.Generator) -> None:
    """Write a film of one visit with its sound: `scene.avi`, `scene.ogg`."""
    script = (Visit(None, 0, 4, "clear", "clear"), Visit(0, 4, 15, "clear", "clear"))
    film_rng, sound_rng = rng.spawn(2)
    writer = cv2.VideoWriter(str(folder / "scene.avi"), cv2.VideoWriter.fourcc(*"MJPG"), FRAME_HZ,
                             SMALL_PX)
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 60)
    for frame in film(script, film_rng):
        writer.write(cv2.resize(frame, SMALL_PX, interpolation=cv2.INTER_AREA))
    writer.release()
    soundfile.write(folder / "scene.ogg", soundtrack(script, sound_rng), RATE_HZ)


@dataclass(frozen=True)
class Past:
    """A visit that is written into the journal.

    Attributes:
        started: Minutes after DAWN.
        answer: What was answered then; None for undecided.
        image: A photograph.
        audio: A recording.
    """

    started: float
    answer: str | None
    image: Path | None = None
    audio: Path | None = None


def write_journal(folder: Path, data: Path) -> None:
    """Write two sessions of visits, before anything was enrolled, renamed or removed."""
    bundle = load_bundle(GOLDEN / BUNDLE)
    encoder, gallery = bundle.encoder(), bundle.factory_gallery()

    def photograph(name: str) -> Path:
        return sorted((data / "images" / name.replace(" ", "_")).iterdir())[3]

    def recording(name: str) -> Path:
        return sorted((data / "audio" / name.replace(" ", "_")).iterdir())[3]

    stranger = [sorted((data / "enrol" / kind).iterdir())[-1] for kind in ("images", "audio")]
    first, second, third = SPECIES[:3]
    days = [[Past(0, first, photograph(first), recording(first)),
             Past(7.5, second, None, recording(second)),
             Past(61, None, photograph(first), recording(third)),
             Past(95, REMOVED, *stranger)],
            [Past(1440, RENAMED, photograph(RENAMED), recording(RENAMED)),
             Past(1475, REMOVED, photograph(REMOVED), None),
             Past(1900, first, photograph(first), None)]]
    journal = open_journal(folder)
    for number, visits in enumerate(days):
        begun = DAWN + timedelta(minutes=visits[0].started - 5)
        journal.start_session(bundle.model_id, "0", "hw:1,0" if number else "default", begun, None)
        journal.add_events([(begun, "started", f"model {bundle.model_id}")])
        for visit in visits:
            _add(journal, encoder, gallery, visit, bundle.model_id)
        ended = begun + timedelta(hours=9)
        journal.add_events([(ended - timedelta(hours=1), "camera lost", "no frame for 5 s"),
                            (ended - timedelta(minutes=59), "camera back", "usable again"),
                            (ended, "stopped", "2 windows of sound were withheld for speech")])
    gone = journal.evidence_paths()[-1]
    (folder / gone).unlink()
    journal.mark_missing(DAWN + timedelta(days=2))
    journal.close()
    (folder / "lock").unlink()


def _add(journal: Journal, encoder: Encoder, gallery: Gallery, visit: Past, model: str) -> None:
    parts = {sense: next(embed_file(encoder, path))
             for sense, path in (("image", visit.image), ("audio", visit.audio)) if path}
    vectors = {sense: getattr(part, sense) for sense, part in parts.items()}
    decision = decide(encoder, gallery, vectors.get("image"), vectors.get("audio"))
    single = [decide(encoder, gallery, *((vector, None) if sense == "image" else (None, vector)))
              for sense, vector in vectors.items()]
    top = (decision.top if visit.answer else
           tuple((each.top[0][0], 0.5 - 0.1 * place) for place, each in enumerate(single)))
    started = DAWN + timedelta(minutes=visit.started)
    start_s, length_s = 300.0 + 60 * (visit.started % 1440), 14.4
    entry = VisitEntry(
        visit.answer, _scientific(gallery, visit.answer), started,
        started + timedelta(seconds=length_s), start_s, start_s + length_s, decision.score,
        "both" if len(vectors) > 1 else next(iter(vectors)),
        "disagree" if visit.answer is None else "agree" if len(vectors) > 1 else "single", 5, top,
        {sense: vector.astype("<f4").tobytes() for sense, vector in vectors.items()},
        write_evidence(journal.folder, started, visit.answer, _kept(visit, start_s)))
    print(f"{visit.answer}: now {decision.species} {decision.score:.2f}")
    journal.add_visit(entry, model)


def _scientific(gallery: Gallery, label: str | None) -> str | None:
    return next((each.scientific for each in gallery.species if each.label == label), None)


def _kept(visit: Past, start_s: float) -> Keepsakes:
    kept = Keepsakes()
    if visit.image:
        small = cv2.resize(read_image(visit.image), SMALL_PX, interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY])
        kept.picture = Picture(jpeg.tobytes(), 0.9, (30, 20, 90, 80), start_s, start_s + 4.8)
    if visit.audio:
        sound = read_audio(visit.audio, RATE_HZ)[: round(SMALL_S * RATE_HZ)]
        kept.sound = Sound(sound, RATE_HZ, 0.8, start_s, start_s + SMALL_S)
    return kept


def birdfield(*arguments: object) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "birdfield", *map(str, arguments)], check=True)


def write_store(data: Path) -> None:
    """Enrol a species, rename one, and remove one."""
    files = [*sorted((data / "enrol" / "images").iterdir())[:6],
             *sorted((data / "enrol" / "audio").iterdir())[:4]]
    bundle = GOLDEN / BUNDLE
    birdfield("enrol", bundle, ENROLLED, *files)
    birdfield("species", bundle, "rename", RENAMED, NEW_NAME)
    birdfield("species", bundle, "remove", REMOVED)


def write_status(path: Path) -> None:
    """Keep the status file of a watch; its process number is one that Linux gives nobody."""
    with tempfile.TemporaryDirectory() as folder:
        watch = subprocess.Popen(
            [sys.executable, "-m", "birdfield", "watch", "--model", BUNDLE, "--camera", "scene.avi",
             "--microphone", "scene.ogg", "--journal", f"{folder}/journal"],
            cwd=GOLDEN, env={**os.environ, "XDG_RUNTIME_DIR": folder}, stdout=subprocess.DEVNULL)
        entry = None
        while watch.poll() is None:
            for found in Path(folder).glob("birdfield/status-*.json"):
                entry = json.loads(found.read_text())
            time.sleep(0.05)
    assert entry is not None and watch.returncode == 0
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**entry, "pid": 4194305, "born": 1, "journal": "journal"},
                               indent=1) + "\n")


def make() -> None:
    """Make all fixtures anew."""
    from golden_model import make_bundle

    with tempfile.TemporaryDirectory() as name:
        home, data = Path(name), Path(name) / "data"
        os.environ |= {"HOME": name, "XDG_CACHE_HOME": f"{name}/cache", "TZ": "UTC"}
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "BIRDFIELD_MODEL"):
            os.environ.pop(variable, None)
        time.tzset()
        for part in (BUNDLE, f"{BUNDLE}.store", "images", "audio", "journal", "status"):
            shutil.rmtree(GOLDEN / part, ignore_errors=True)
        write_names(GOLDEN / "names.csv")
        write_training(data)
        make_bundle(data, home / BUNDLE)
        shutil.copytree(home / BUNDLE, GOLDEN / BUNDLE)
        write_journal(GOLDEN / "journal", data)
        write_store(data)
        write_inputs(GOLDEN)
        write_status(GOLDEN / "status" / "status-4194305.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the fixtures, or the expected outputs alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expected", action="store_true", help="the expected outputs alone")
    if not parser.parse_args(arguments).expected:
        make()
    sys.path.insert(0, str(ROOT / "tests"))
    from test_golden import CASES, Place, answer

    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name))
        expected = {case.name: answer(place, case) for case in CASES}
    (GOLDEN / "expected.json").write_text(
        json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
