import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
from devices import scenery
from fakes import BluePitch, factory, tone

from birdfield.errors import InputError
from birdfield.evaluate import noise
from birdfield.evaluate.files import EmbeddedFiles, embed_folders
from birdfield.evaluate.noise import (
    NO_ANSWER,
    SAMPLE,
    SNRS_DB,
    _answer,
    _shares,
    _to_camera_size,
    find_noises,
    measure_noise,
    sample_pairs,
)
from birdfield.evaluate.pairs import Embedded
from birdfield.evaluate.table import damage_lines
from birdfield.signals.audio import read_audio
from birdfield.signals.damage import DAMAGES

RATE_HZ = 16_000
ROW_KEYS = ["noise", "snr_db", "image_damage", "image_top1", "audio_top1", "both_top1", "n"]
DEGREES = {"Jay": 3, "Wren": 120}  # where they look and sound


def folders(tmp_path: Path, light: int = 200) -> tuple[Path, Path]:
    """Write two photographs, green and red about as told, and two recordings of two species."""
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
    """Write two files of a hum at the robin's pitch and one of hiss."""
    folder.mkdir()
    for number in range(2):
        tone(folder / f"hum__{number}.wav", 60, 1.0 + number)
    soundfile.write(
        folder / "hiss__0.wav", np.random.default_rng(0).normal(0, 0.1, RATE_HZ), RATE_HZ
    )
    return folder


def embed(images: Path, audio: Path) -> EmbeddedFiles:
    return embed_folders(BluePitch(), factory().labels, images, audio, lambda *_: None)


def measure(tmp_path: Path, seed: int = 0, light: int = 200) -> list[dict[str, Any]]:
    files = embed(*folders(tmp_path, light))
    return measure_noise(
        BluePitch(),
        factory(),
        files,
        find_noises(noise_folder(tmp_path / "n")),
        lambda *_: None,
        seed,
    )


def row_of(rows: list[dict[str, Any]], noise: str, snr_db: int | None, damage: str) -> Any:
    [row] = [
        row
        for row in rows
        if (row["noise"], row["snr_db"], row["image_damage"]) == (noise, snr_db, damage)
    ]
    return row


def test_every_noise_ratio_and_damage_has_a_row(tmp_path: Path) -> None:
    """2 kinds at 5 ratios and clean sound, each with 5 damages: 55; of 2 species 2 x 2 pairs."""
    rows = measure(tmp_path)
    assert len(rows) == 55 and all(list(row) == ROW_KEYS for row in rows)
    assert [(row["snr_db"], row["image_damage"]) for row in rows[:5]] == [
        (None, damage) for damage in DAMAGES
    ]
    assert {row["noise"] for row in rows[:5]} == {"none"} and {row["n"] for row in rows} == {8}
    assert {(row["noise"], row["snr_db"]) for row in rows[5:]} == {
        (kind, snr_db) for kind in ("hum", "hiss") for snr_db in SNRS_DB
    }
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_sound_is_lost_to_a_hum_louder_than_it(tmp_path: Path) -> None:
    """The tone of the hum is the loudest below 0 dB, so all is a robin; sight is as it was.

    Joined, the jay at 3 and 60 degrees is at 31.5: a robin; the wren at 120 and 60 is at 90,
    midway between robin and wren.
    """
    rows = measure(tmp_path)
    clean, loud = row_of(rows, "none", None, "clean"), row_of(rows, "hum", -5, "clean")
    assert (clean["image_top1"], clean["audio_top1"], clean["both_top1"]) == (1, 1, 1)
    assert (loud["image_top1"], loud["audio_top1"]) == (1, 0) and loud["both_top1"] < 1
    assert row_of(rows, "hum", 20, "clean")["audio_top1"] == 1


def test_of_a_recording_of_any_length_the_beginning_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over an hour is too long for `read_audio`; here, over 0.5 s."""

    def read_short(path: Path, rate_hz: int) -> Any:
        return read_audio(path, rate_hz, 3600.0 if "__" in path.name else 0.5)

    monkeypatch.setattr(noise, "read_audio", read_short)
    assert row_of(measure(tmp_path), "none", None, "clean")["audio_top1"] == 1


def test_a_picture_too_dark_to_use_leaves_the_answer_to_sound(tmp_path: Path) -> None:
    """Pixels of at most 120 are at most 63.75 * (120/255)^1.5 = 20.6 at dusk, under 24: dark.

    Sight then has no answer, and both answer by sound.
    """
    rows = measure(tmp_path, light=80)
    dark = row_of(rows, "none", None, "dark")
    assert (dark["image_top1"], dark["audio_top1"], dark["both_top1"]) == (0, 1, 1)


def test_without_a_usable_sense_nobody_answers() -> None:
    assert _answer(BluePitch(), factory(), None, None) == NO_ANSWER


def test_silence_is_absent() -> None:
    assert noise._hear(BluePitch(), np.zeros(RATE_HZ, np.float32)) is None


def test_the_measurement_is_seeded(tmp_path: Path) -> None:
    first, second, other = (
        measure(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second and len(other) == len(first)


def test_progress_is_told_to_its_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    measure_noise(
        BluePitch(),
        factory(),
        embed(*folders(tmp_path)),
        find_noises(noise_folder(tmp_path / "n")),
        lambda *step: told.append(step),
    )
    assert ("damaged photographs", 4, 4) in told and ("noisy recordings", 4, 4) in told


def test_pairs_are_drawn_species_by_species(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 pairs of species 0 and 4 of species 1, six: three each."""
    monkeypatch.setattr(noise, "SAMPLE", 6)
    labels = np.array([0] * 6 + [1] * 2)
    files = Embedded(np.zeros((8, 128), np.float32), labels, np.arange(8))
    left, right = sample_pairs(files, files, 0)
    assert sorted(labels[left]) == [0, 0, 0, 1, 1, 1]
    assert len(set(zip(left, right, strict=True))) == 6
    assert np.array_equal(labels[left], labels[right])


def test_no_species_is_left_out_for_its_name() -> None:
    """Of 139 species 100 have a pair: by another seed others."""
    labels = np.arange(139)
    files = Embedded(np.zeros((139, 128), np.float32), labels, labels)
    tested = [set(labels[sample_pairs(files, files, seed)[0]]) for seed in range(8)]
    assert all(len(some) == SAMPLE for some in tested)
    assert set().union(*tested) == set(labels)


def test_recordings_are_dealt_to_kinds_all_equally_often() -> None:
    """3000 mixes over 60 kinds and 5 ratios are 10 recordings a kind: each of 40 is used 15 times.

    A kind alone, or eight, have all 40.
    """
    shares = _shares(np.arange(40), [str(kind) for kind in range(60)], 0)
    assert {len(set(share)) for share in shares.values()} == {10}
    counts = np.bincount([row for share in shares.values() for row in share])
    assert counts.tolist() == [15] * 40
    few = _shares(np.arange(40), list("abcdefgh"), 0)
    assert {len(set(share)) for share in few.values()} == {40}


def test_a_large_photograph_is_damaged_at_a_cameras_size() -> None:
    assert _to_camera_size(np.zeros((960, 1200, 3), np.uint8)).shape == (480, 600, 3)
    assert _to_camera_size(np.zeros((240, 300, 3), np.uint8)).shape == (240, 300, 3)


def test_species_of_one_sense_give_no_rows(tmp_path: Path) -> None:
    images, audio = folders(tmp_path)
    for path in audio.rglob("*.wav"):
        path.unlink()
    rows = measure_noise(
        BluePitch(),
        factory(),
        embed(images, audio),
        find_noises(noise_folder(tmp_path / "n")),
        lambda *_: None,
    )
    assert rows == []
    assert damage_lines({"noise": rows}) == [
        "noise: no species was tested by both a photograph and a recording"
    ]


def test_noises_are_found_by_kind_and_the_useless_named(tmp_path: Path) -> None:
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


def test_the_table_has_a_line_a_ratio_and_a_damage() -> None:
    """At 0 dB two kinds of noise, 0.2 and 0.4 right by sound: 0.3 on average."""

    def row(noise: str, snr_db: int | None, damage: str, audio: float) -> dict[str, Any]:
        return dict(zip(ROW_KEYS, (noise, snr_db, damage, 0.9, audio, 0.95, 7), strict=True))

    lines = damage_lines(
        {
            "noise": [
                row("none", None, "clean", 0.5),
                row("none", None, "rain", 0.5),
                row("hum", 0, "clean", 0.2),
                row("hum", 0, "rain", 0.1),
                row("hiss", 0, "clean", 0.4),
            ]
        }
    )
    assert [line.split() for line in lines[1:]] == [
        ["clean", "0.900", "0.500", "0.950", "7"],
        ["picture", "rain", "0.900", "0.500", "0.950", "7"],
        ["sound", "at", "0", "dB", "0.900", "0.300", "0.950", "7"],
    ]
    assert lines[0] == "top-1, mean of 2 kinds of noise     image  audio   both      n"
    assert {len(line) for line in lines} == {34 + 4 * 7}
    assert damage_lines({}) == []
