"""Media: the choice of the best, and the files of evidence."""

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from birdfield.errors import InputError
from birdfield.journal.media import BestMedia, Sound, remove_orphans, safe_name, write_evidence
from birdfield.signals.image import decode_image

DAWN = datetime(2026, 5, 1, 4, 30, 5, tzinfo=UTC)
RATE_HZ = 16_000


def sound(score: float = 0.9, length_s: float = 2.0) -> Sound:
    seconds = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    waveform = (0.5 * np.sin(2 * np.pi * 3000 * seconds)).astype(np.float32)
    return Sound(waveform, RATE_HZ, score, 10.0, 10.0 + length_s)


def picture_and_sound() -> BestMedia:
    kept = BestMedia()
    frame = np.full((40, 60, 3), (30, 120, 200), np.uint8)
    kept.offer_frame(frame, 0.8, None, 10.0, 15.3)
    kept.offer_sound(sound())
    return kept


@pytest.mark.parametrize(
    ("species", "name"),
    [
        ("Robin", "Robin"),
        ("Žluna zelená", "Žluna_zelená"),
        ("カササギ", "カササギ"),
        ("../../etc/passwd", "etc_passwd"),
        ("a/b\\c:d*e?", "a_b_c_d_e"),
        ("\u2605\u2605", "bird"),
        ("عقعق", "عقعق"),
        (".hidden", "hidden"),
        ("हीरा", "हीरा"),
    ],
)
def test_names_of_any_script_are_safe(species: str, name: str) -> None:
    assert safe_name(species) == name


def test_a_long_name_is_cut_between_characters() -> None:
    """Each character has 3 bytes: 26 are 78 bytes, 27 would be 81."""
    assert safe_name("鳥" * 200) == "鳥" * 26


@pytest.mark.parametrize("species", ["Robin", "Žluna zelená", "../../x", "鳥" * 200, None])
def test_evidence_can_be_read_back(tmp_path: Path, species: str | None) -> None:
    """The sonogram is 320 by 140, the sound 2 s at 16 kHz, the picture 60 by 40."""
    files = {
        file.kind: file for file in write_evidence(tmp_path, DAWN, species, picture_and_sound())
    }
    assert set(files) == {"picture", "sound", "sonogram"}
    for file in files.values():
        path = tmp_path / file.path
        assert path.parent == tmp_path / "evidence" / "2026-05-01"
        assert path.stat().st_size == file.size
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "evidence").stat().st_mode) == 0o700
    picture = decode_image((tmp_path / files["picture"].path).read_bytes(), "picture")
    assert picture.shape == (40, 60, 3)
    assert np.abs(picture.astype(int) - (30, 120, 200)).max() < 6, "JPEG changes colours little"
    assert files["picture"].box == (0, 0, 60, 40)
    heard, rate_hz = soundfile.read(tmp_path / files["sound"].path, dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(heard, sound().waveform, atol=1 / 32_768)
    assert (files["sound"].start_s, files["sound"].end_s) == (10.0, 12.0)
    data = np.frombuffer((tmp_path / files["sonogram"].path).read_bytes(), np.uint8)
    drawn = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert drawn is not None and drawn.shape == (140, 320)


def test_only_the_best_media_are_kept() -> None:
    kept = picture_and_sound()
    first = kept.picture
    kept.offer_frame(np.zeros((10, 10, 3), np.uint8), 0.7, None, 20.0, 25.0)
    assert kept.picture is first
    kept.offer_frame(np.zeros((10, 10, 3), np.uint8), 0.85, (5, 6, 10, 10), 20.0, 25.0)
    assert kept.picture is not None and kept.picture.score == 0.85
    assert kept.picture.box == (5, 6, 10, 10)
    kept.offer_sound(sound(0.5))
    assert kept.sound is not None and kept.sound.score == 0.9
    kept.offer_sound(sound(0.95))
    assert kept.sound.score == 0.95


def test_a_visit_without_media_has_no_evidence(tmp_path: Path) -> None:
    assert write_evidence(tmp_path, DAWN, "Robin", BestMedia()) == ()


def test_after_an_error_no_file_of_the_visit_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> bytes:
        raise InputError("the disk is full")

    monkeypatch.setattr("birdfield.journal.media._flac", broken)
    with pytest.raises(InputError, match="the disk is full"):
        write_evidence(tmp_path, DAWN, "Robin", picture_and_sound())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_card_that_becomes_read_only_during_a_write_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is written; the sound cannot be written, nor the picture deleted."""

    def replaced(draft: str, path: Path) -> None:
        if path.suffix != ".jpg":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        Path(draft).rename(path)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("os.replace", replaced)
    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(InputError, match="cannot be written"):
        write_evidence(tmp_path, DAWN, "Robin", picture_and_sound())


def test_orphans_are_deleted_and_files_of_others_are_not(tmp_path: Path) -> None:
    files = write_evidence(tmp_path, DAWN, "Robin", picture_and_sound())
    lost = write_evidence(tmp_path, DAWN, "Jay", picture_and_sound())
    (tmp_path / files[0].path).with_name(".half.jpg.x7").write_bytes(b"\xff\xd8")
    (tmp_path / "evidence" / "notes.txt").write_text("mine")
    assert remove_orphans(tmp_path, {file.path for file in files}) == len(lost) + 1
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {file.path for file in files} | {"evidence/notes.txt"}
