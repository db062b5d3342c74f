import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
from fakes import BluePitch, factory, tone
from frames import scenery

from birdfield.errors import InputError
from birdfield.evaluate import noise
from birdfield.evaluate.figures import NoiseFigures
from birdfield.evaluate.files import EmbeddedFiles, embed_folders
from birdfield.evaluate.noise import (
    MAX_PAIRS,
    NO_ANSWER,
    SNRS_DB,
    NoiseTest,
    embed_or_none,
    sample_pairs,
    share_recordings,
    to_camera_size,
)
from birdfield.evaluate.noise_files import Noises, find_noises
from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.evaluate.table import noise_lines
from birdfield.signals.audio import read_audio
from birdfield.signals.damage import DAMAGES

RATE_HZ = 16_000
ROW_KEYS = ["noise", "snr_db", "image_damage", "image_top1", "audio_top1", "both_top1", "n"]
DEGREES = {"Jay": 3, "Wren": 120}  # the angle of each species by both senses


def folders(tmp_path: Path, light: int = 200) -> tuple[Path, Path]:
    """Write two photographs, green and red near `light`, and two recordings of two species."""
    for label, degrees in DEGREES.items():
        for kind in ("images", "audio"):
            (tmp_path / kind / label).mkdir(parents=True)
        for number in range(2):
            frame = scenery(number, (degrees, light, light))
            frame[..., 0] = degrees
            cv2.imwrite(str(tmp_path / "images" / label / f"{number}.png"), frame)
            tone(tmp_path / "audio" / label / f"{number}.wav", degrees)
    return tmp_path / "images", tmp_path / "audio"


def noise_folder(folder: Path) -> Path:
    """Write two files of a hum at the robin's pitch and one file of hiss."""
    folder.mkdir()
    for number in range(2):
        tone(folder / f"hum__{number}.wav", 60, 1.0 + number)
    soundfile.write(
        folder / "hiss__0.wav", np.random.default_rng(0).normal(0, 0.1, RATE_HZ), RATE_HZ
    )
    return folder


def embed(images: Path, audio: Path) -> EmbeddedFiles:
    return embed_folders(BluePitch(), factory().labels, images, audio, lambda *_: None)


def noise_test(noises: Noises, seed: int = 0) -> NoiseTest:
    return NoiseTest(BluePitch(), factory(), noises, lambda *_: None, seed)


def measure(tmp_path: Path, seed: int = 0, light: int = 200) -> tuple[NoiseFigures, ...]:
    files = embed(*folders(tmp_path, light))
    return noise_test(find_noises(noise_folder(tmp_path / "n")), seed).measure(files)


def row_of(
    rows: Sequence[NoiseFigures], noise: str, snr_db: int | None, damage: str
) -> NoiseFigures:
    [row] = [
        row for row in rows if (row.noise, row.snr_db, row.image_damage) == (noise, snr_db, damage)
    ]
    return row


def test_each_noise_level_and_damage_has_a_row(tmp_path: Path) -> None:
    """2 kinds at 5 levels and clean sound, with 5 damages, are 55; 2 species have 2 x 2 pairs."""
    rows = [row.to_json() for row in measure(tmp_path)]
    assert len(rows) == 55 and all(list(row) == ROW_KEYS for row in rows)
    assert [(row["snr_db"], row["image_damage"]) for row in rows[:5]] == [
        (None, damage) for damage in DAMAGES
    ]
    assert {row["noise"] for row in rows[:5]} == {"none"} and {row["n"] for row in rows} == {8}
    assert {(row["noise"], row["snr_db"]) for row in rows[5:]} == {
        (kind, snr_db) for kind in ("hum", "hiss") for snr_db in SNRS_DB
    }
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_a_loud_hum_replaces_the_sound(tmp_path: Path) -> None:
    """Below 0 dB the hum is louder than the song, so each answer by sound is a robin.

    Fused, the jay at 3 and 60 degrees is at 31.5: a robin; the wren at 120 and 60 is at 90,
    midway between robin and wren.
    """
    rows = measure(tmp_path)
    clean, loud = row_of(rows, "none", None, "clean"), row_of(rows, "hum", -5, "clean")
    assert (clean.image_top1, clean.audio_top1, clean.both_top1) == (1, 1, 1)
    assert (loud.image_top1, loud.audio_top1) == (1, 0)
    assert loud.both_top1 is not None and loud.both_top1 < 1
    assert row_of(rows, "hum", 20, "clean").audio_top1 == 1


def test_only_the_start_of_a_long_recording_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`read_audio` refuses recordings over an hour; here, over 0.5 s."""

    def read_short(path: Path, rate_hz: int) -> Any:
        return read_audio(path, rate_hz, 3600.0 if "__" in path.name else 0.5)

    monkeypatch.setattr(noise, "read_audio", read_short)
    assert row_of(measure(tmp_path), "none", None, "clean").audio_top1 == 1


def test_sound_answers_for_a_picture_that_is_too_dark(tmp_path: Path) -> None:
    """Darkened pixels of at most 120 are at most 63.75 * (120/255)^1.5 = 20.6, under 24: dark.

    There is then no answer by image, and both senses answer by sound.
    """
    rows = measure(tmp_path, light=80)
    dark = row_of(rows, "none", None, "dark")
    assert (dark.image_top1, dark.audio_top1, dark.both_top1) == (0, 1, 1)


def test_without_a_usable_sense_there_is_no_answer() -> None:
    assert noise_test(Noises({}, ())).answer(None, None) == NO_ANSWER


def test_silence_is_absent() -> None:
    assert embed_or_none(BluePitch(), np.zeros(RATE_HZ, np.float32)) is None


def test_the_measurement_is_seeded(tmp_path: Path) -> None:
    first, second, other = (
        measure(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second and len(other) == len(first)


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    test = noise_test(find_noises(noise_folder(tmp_path / "n")))
    replace(test, progress=lambda *step: steps.append(step)).measure(embed(*folders(tmp_path)))
    assert ("damaged photographs", 4, 4) in steps and ("noisy recordings", 4, 4) in steps


def test_pairs_are_drawn_species_by_species(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six of 20 pairs of species 0 and 4 pairs of species 1 are three each."""
    monkeypatch.setattr(noise, "MAX_PAIRS", 6)
    labels = np.array([0] * 6 + [1] * 2)
    files = LabelledEmbeddings(np.zeros((8, 128), np.float32), labels, np.arange(8))
    pairs = sample_pairs(files, files, 0)
    assert sorted(labels[pairs.images]) == [0, 0, 0, 1, 1, 1]
    assert len(set(zip(*pairs, strict=True))) == 6
    assert np.array_equal(labels[pairs.images], labels[pairs.audio])


def test_the_drawn_species_depend_on_the_seed() -> None:
    """100 of 139 species have a pair; another seed draws others."""
    labels = np.arange(139)
    files = LabelledEmbeddings(np.zeros((139, 128), np.float32), labels, labels)
    tested = [set(labels[sample_pairs(files, files, seed).images]) for seed in range(8)]
    assert all(len(some) == MAX_PAIRS for some in tested)
    assert set().union(*tested) == set(labels)


def test_kinds_of_noise_use_all_recordings_equally_often() -> None:
    """3000 mixes for 60 kinds and 5 levels are 10 recordings a kind: each of 40 is used 15 times.

    Eight kinds have all 40 each.
    """
    shares = share_recordings(np.arange(40), [str(kind) for kind in range(60)], 0)
    assert {len(set(share)) for share in shares.values()} == {10}
    counts = np.bincount([row for share in shares.values() for row in share])
    assert counts.tolist() == [15] * 40
    few = share_recordings(np.arange(40), list("abcdefgh"), 0)
    assert {len(set(share)) for share in few.values()} == {40}


def test_a_large_photograph_is_scaled_to_the_size_of_a_camera() -> None:
    assert to_camera_size(np.zeros((960, 1200, 3), np.uint8)).shape == (480, 600, 3)
    assert to_camera_size(np.zeros((240, 300, 3), np.uint8)).shape == (240, 300, 3)


def test_species_with_one_sense_have_no_rows(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    for path in audio.rglob("*.wav"):
        path.unlink()
    noises = find_noises(noise_folder(tmp_path / "n"))
    assert noise_test(noises).measure(embed(images, audio)) == ()
    assert noise_lines(()) == ["noise: no species has both a photograph and a recording"]


def test_noises_are_listed_by_kind_and_unusable_files_named(tmp_path: Path) -> None:
    folder = noise_folder(tmp_path / "noise")
    soundfile.write(folder / "nothing__0.wav", np.zeros(RATE_HZ), RATE_HZ)
    (folder / "broken__0.wav").write_bytes(b"no sound")
    (folder / "notes.txt").touch()
    found = find_noises(folder)
    assert {kind: len(files) for kind, files in found.files.items()} == {"hiss": 1, "hum": 2}
    assert [problem.split(": ")[0].split("/")[-1] for problem in found.problems] == [
        "notes.txt",
        "broken__0.wav",
        "nothing__0.wav",
    ]


def test_a_folder_of_silence_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nothing__0.wav", np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(InputError, match="no usable noise .*nothing__0.wav: the noise is silent"):
        find_noises(tmp_path)


def test_the_table_has_a_line_for_each_level_and_damage() -> None:
    """At 0 dB two kinds of noise have top-1 0.2 and 0.4 by sound: 0.3 on average."""

    def row(noise: str, snr_db: int | None, damage: str, audio: float) -> NoiseFigures:
        return NoiseFigures(noise, snr_db, damage, 0.9, audio, 0.95, 7)

    lines = noise_lines(
        [
            row("none", None, "clean", 0.5),
            row("none", None, "rain", 0.5),
            row("hum", 0, "clean", 0.2),
            row("hum", 0, "rain", 0.1),
            row("hiss", 0, "clean", 0.4),
        ]
    )
    assert [line.split() for line in lines[1:]] == [
        ["clean", "0.900", "0.500", "0.950", "7"],
        ["picture", "rain", "0.900", "0.500", "0.950", "7"],
        ["sound", "at", "0", "dB", "0.900", "0.300", "0.950", "7"],
    ]
    assert lines[0] == "top-1, mean of 2 kinds of noise     image  audio   both      n"
    assert {len(line) for line in lines} == {34 + 4 * 7}
