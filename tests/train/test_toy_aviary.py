import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield_train.toy_aviary import (
    SPECIES,
    contact_sheet,
    draw_bird,
    sing,
    song,
    write_dataset,
    write_scene,
)
from birdfield_train.toy_aviary.__main__ import main
from birdfield_train.toy_aviary.canvas import CANVAS_PX
from birdfield_train.toy_aviary.sprite import sprite

EVERY = range(len(SPECIES))


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of three visits, one in each part: about 3 (6 + 11 + 6) = 69 s."""
    folder = tmp_path_factory.mktemp("scene")
    write_scene(folder, seed=4, visits=1)
    return folder


def frames(folder: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(folder / "scene.avi"))
    found = []
    while (answer := capture.read())[0]:
        found.append(np.asarray(answer[1], np.uint8))
    return found


def sound_of(folder: Path) -> NDArray[np.int16]:
    return np.asarray(soundfile.read(folder / "scene.wav", dtype="int16")[0])


def script_of(folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    return entry


def stretch(part: dict[str, Any], rate_hz: int) -> slice:
    return slice(round(part["start_s"] * rate_hz), round(part["end_s"] * rate_hz))


def test_there_are_six_species_with_different_names() -> None:
    assert len(SPECIES) == len(set(SPECIES)) == 6


@pytest.mark.parametrize("species", EVERY)
def test_a_seed_decides_the_picture_and_another_seed_changes_it(species: int) -> None:
    picture = draw_bird(species, rng(1), (200, 160))
    assert picture.shape == (160, 200, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, draw_bird(species, rng(1), (200, 160)))
    assert (picture != draw_bird(species, rng(2), (200, 160))).mean() > 0.5


@pytest.mark.parametrize("species", EVERY)
def test_a_whole_bird_fits_its_canvas(species: int) -> None:
    """In no pose does the bird touch the edge of its canvas, where a tail or crest would be cut."""
    for seed in range(6):
        cover = sprite(species, rng(seed))[..., 3]
        assert 0.1 < cover.mean() < 0.6 and cover.min() >= 0 and cover.max() <= 1.0001
        assert max(cover[0].max(), cover[-1].max(), cover[:, 0].max(), cover[:, -1].max()) == 0


def test_species_of_one_colour_differ_in_pattern() -> None:
    """Copper Wagtip and Bramble Speckle have mean colours within 25 of 255, but other patterns."""
    wagtip, speckle = (sprite(species, rng(3)) for species in (0, 1))
    colours = [bird[..., :3].sum(axis=(0, 1)) / bird[..., 3].sum() for bird in (wagtip, speckle)]
    assert np.abs(colours[0] - colours[1]).max() < 25
    both = (wagtip[..., 3] > 0.9) & (speckle[..., 3] > 0.9)
    assert both.sum() > 0.1 * CANVAS_PX**2
    assert (np.abs(wagtip - speckle)[both].max(axis=1) > 60).mean() > 0.05


@pytest.mark.parametrize("species", EVERY)
def test_a_song_is_seeded_and_in_its_band(species: int) -> None:
    sung = song(species, rng(5), 4.0)
    np.testing.assert_array_equal(sung, song(species, rng(5), 4.0))
    assert len(sung) == 4 * YAMNET.rate_hz and sung.dtype == np.float32
    power = np.abs(np.fft.rfft(sung)) ** 2
    hz = np.fft.rfftfreq(len(sung), 1 / YAMNET.rate_hz)
    assert power[(hz > 1500) & (hz < 7000)].sum() > 0.9 * power.sum()


@pytest.mark.parametrize("species", EVERY)
def test_a_recording_is_finite_within_one_and_loudest_in_the_band(species: int) -> None:
    levels = set()
    for seed in range(4):
        recording = sing(species, rng(seed, 6), 3.0)
        assert len(recording) == 3 * YAMNET.rate_hz and recording.dtype == np.float32
        assert np.isfinite(recording).all() and 0.01 < np.abs(recording).max() <= 1
        power = np.abs(np.fft.rfft(recording)) ** 2
        peak_hz = np.argmax(power) * YAMNET.rate_hz / len(recording)
        assert 1500 < peak_hz < 7000
        levels.add(round(float(np.abs(recording).max()), 3))
    assert len(levels) > 1


def test_a_song_keeps_its_pitch_at_another_rate() -> None:
    """The Wagtip whistles at 2600 to 4300 Hz, and an individual within 9 % (3.6 sigma) of that."""
    for rate_hz in (16_000, 32_000):
        power = np.abs(np.fft.rfft(song(0, rng(7), 6.0, rate_hz))) ** 2
        assert 2350 < np.argmax(power) / 6.0 < 4700


def test_two_trills_differ_in_tempo_and_pitch() -> None:
    """Notes are 0.125 s and 0.055 s apart, at 8 Hz and 18.2 Hz, within 20 %."""
    for species, pulse_hz, centre_hz in ((2, 8.0, 3250), (3, 18.2, 5100)):
        sung = song(species, rng(8), 8.0)
        power = np.abs(np.fft.rfft(sung)) ** 2
        hz = np.fft.rfftfreq(len(sung), 1 / YAMNET.rate_hz)
        assert (power * hz).sum() / power.sum() == pytest.approx(centre_hz, rel=0.12)
        loudness = np.abs(sung).reshape(-1, 160).mean(axis=1)  # 100 Hz
        pulse = np.abs(np.fft.rfft(loudness - loudness.mean()))
        pulses_hz = np.fft.rfftfreq(len(loudness), 0.01)
        pulse[pulses_hz < 4] = 0  # the rhythm of the phrases
        assert pulses_hz[np.argmax(pulse)] == pytest.approx(pulse_hz, rel=0.2)


@pytest.mark.slow
def test_the_scanner_reads_the_data_set(tmp_path: Path) -> None:
    """6 species with 2 photographs and 2 recordings of 2 clips each have 12 and 24 files."""
    write_dataset(tmp_path, seed=1, photographs=2, recordings=2)
    found = scan_dataset(tmp_path / "images", tmp_path / "audio")
    assert found.labels == tuple(sorted(SPECIES)) and not found.misnamed
    assert len(found.images) == 12 and len(found.audio) == 24
    assert len({(sample.label, sample.recording) for sample in found.images}) == 12
    assert len({(sample.label, sample.recording) for sample in found.audio}) == 12
    for sample in found.audio:
        clip = soundfile.info(sample.path)
        assert (clip.samplerate, clip.channels, clip.subtype) == (YAMNET.rate_hz, 1, "PCM_16")
        assert 5.99 <= clip.duration <= 8.01
    assert (tmp_path / "images/Copper_Wagtip/photograph_1_000.jpg").is_file()
    assert (tmp_path / "audio/Copper_Wagtip/recording_1_001__1.wav").is_file()


def test_film_and_sound_have_the_same_length(scene: Path) -> None:
    entry, film, sound = script_of(scene), frames(scene), soundfile.info(scene / "scene.wav")
    assert len(film) / entry["frame_hz"] == sound.duration == entry["length_s"]
    assert film[0].shape == (240, 320, 3) and sound.samplerate == entry["rate_hz"] == YAMNET.rate_hz


def test_the_script_names_the_senses_that_record_each_visit(scene: Path) -> None:
    """Each of three parts is a gap, a visit and a gap of 6, 11 and 6 s, within 0.91 s each."""
    entry = script_of(scene)
    senses = [visit["senses"] for visit in entry["visits"]]
    assert senses == [["image", "audio"], ["audio"], ["image"]]
    assert all(visit["species"] in SPECIES for visit in entry["visits"])
    assert len(entry["gaps"]) == 6 and all(gap["species"] is None for gap in entry["gaps"])
    script = sorted([*entry["visits"], *entry["gaps"]], key=lambda part: float(part["start_s"]))
    assert [part["end_s"] for part in script[:-1]] == [part["start_s"] for part in script[1:]]
    for part in script:
        assert abs(part["end_s"] - part["start_s"] - (11 if part["species"] else 6)) < 0.91


def test_the_covered_part_is_black_and_the_muted_part_is_silent(scene: Path) -> None:
    entry, film, sound = script_of(scene), frames(scene), sound_of(scene)
    for part in (*entry["visits"], *entry["gaps"]):
        brightness = {int(frame.max()) for frame in film[stretch(part, entry["frame_hz"])]}
        assert min(brightness) > 60 if "image" in part["senses"] else brightness == {0}
        assert bool(sound[stretch(part, YAMNET.rate_hz)].any()) == ("audio" in part["senses"])


def test_a_visit_has_motion_and_is_louder_than_a_gap(scene: Path) -> None:
    """From frame to frame, noise changes a gap by a few levels, and a bird changes 100 levels."""
    entry, film, sound = script_of(scene), frames(scene), sound_of(scene)
    parts = entry["gaps"][0], entry["visits"][0]
    films = [np.array(film[stretch(part, entry["frame_hz"])], np.int16) for part in parts]
    still, moving = (np.abs(np.diff(film, axis=0)).max() for film in films)
    quiet, loud = (sound[stretch(part, YAMNET.rate_hz)].std() for part in parts)
    assert still < 50 < 100 < moving
    assert loud > 4 * quiet > 0


def test_the_contact_sheet_is_about_1000_pixels_wide() -> None:
    sheet = contact_sheet(2)
    assert sheet.dtype == np.uint8 and 900 <= sheet.shape[1] <= 1100


def test_the_command_refuses_a_negative_seed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["somewhere", "--seed", "-1"])
    assert "--seed is -1 and --visits 10; expected at least 0" in capsys.readouterr().err
