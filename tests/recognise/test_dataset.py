import errno
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from birdfield.errors import InputError
from birdfield.model.sense import Sense
from birdfield.model.species import Species, fold
from birdfield.recognise.dataset import recording_of, scan_dataset, scan_flat


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_species_may_have_photographs_or_recordings_or_both(tmp_path: Path) -> None:
    touch(
        tmp_path / "images",
        "Jay/b.JPG",
        "Jay/a.png",
        "Grey_Wren/c.webp",
        "Grey_Wren/d.bmp",
        "Grey_Wren/e.jpeg",
    )
    touch(tmp_path / Sense.AUDIO, "Jay/a.wav", "Owl/a.flac", "Owl/b.ogg", "Owl/c.mp3", "Owl/d.aiff")
    found = scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO)
    assert found.labels == ("Grey Wren", "Jay", "Owl") and not found.misnamed
    assert [sample.path.name for sample in found.samples(Sense.IMAGE)] == [
        "c.webp",
        "d.bmp",
        "e.jpeg",
        "a.png",
        "b.JPG",
    ]
    assert [sample.label for sample in found.samples(Sense.AUDIO)] == ["Jay", *4 * ["Owl"]]


def test_a_folder_in_either_unicode_form_is_one_species(tmp_path: Path) -> None:
    """macOS writes ä as a and a diaeresis (NFD), Linux as one character (NFC)."""
    touch(tmp_path / "images", f"{unicodedata.normalize('NFD', 'Waldkäuzchen')}/a.png")
    touch(tmp_path / Sense.AUDIO, f"{unicodedata.normalize('NFC', 'Waldkäuzchen')}/a.wav")
    found = scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO)
    assert found.labels == ("Waldkäuzchen",) and len(found.images) == len(found.audio) == 1


def test_folders_in_several_spellings_are_one_species(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names them; `Jay_bird` and `Jay bird` differ by a blank alone, as files often do.

    The label is the spelling with capitals, then that with a hyphen. The whole recording of one
    folder and its clip in the other are one recording.
    """
    images, audio = tmp_path / "images", tmp_path / "audio"
    touch(images, "Blue Jay/a.png", "Jay_bird/a.png", "Red winged Blackbird/a.png", "Owl/a.png")
    touch(audio, "blue_jay/a.wav", "Jay bird/a.wav", "BLUE-JAY/a__0.wav")
    touch(audio, "Red-winged_Blackbird/a.wav", "OWL/a.wav")
    found = scan_dataset(images, audio)
    assert found.labels == ("Blue Jay", "Jay bird", "Owl", "Red-winged Blackbird")
    assert [sample.label for sample in found.images] == [
        "Blue Jay",
        "Jay bird",
        "Owl",
        "Red-winged Blackbird",
    ]
    assert {sample.recording for sample in found.audio if sample.label == "Blue Jay"} == {"a"}
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"{audio}/BLUE-JAY and {audio}/blue_jay and {images}/Blue Jay are folders of one species, "
        "Blue Jay",
        f"{audio}/OWL and {images}/Owl are folders of one species, Owl",
        f"{audio}/Red-winged_Blackbird and {images}/Red winged Blackbird are folders of one "
        "species, Red-winged Blackbird",
    ]


def test_two_folders_of_photographs_of_one_species_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path / "images", "Blue Jay/a.png", "Blue_Jay/b.png")
    touch(tmp_path / "audio")
    assert scan_dataset(tmp_path / "images", tmp_path / "audio").labels == ("Blue Jay",)
    assert "are folders of one species, Blue Jay" in caplog.text


def test_the_names_csv_spells_the_label(tmp_path: Path) -> None:
    """The name of a folder often lacks what a file system or an older list does not have."""
    touch(tmp_path / "images", "Henslows_Sparrow/a.png")
    touch(tmp_path / "audio")
    sparrow = Species("Henslow's Sparrow", "Centronyx henslowii")
    names = {fold(sparrow.label): sparrow}
    found = scan_dataset(tmp_path / "images", tmp_path / "audio", names)
    assert found.species == (sparrow,) and found.images[0].label == sparrow.label


def test_misplaced_files_are_listed_and_hidden_ones_are_not(tmp_path: Path) -> None:
    touch(
        tmp_path / "images",
        "Jay/a.png",
        "Jay/notes.txt",
        "loose.png",
        ".DS_Store",
        "Jay/.hidden.png",
        "Jay/folder.png/x.png",
        ".git/a.png",
    )
    touch(tmp_path / Sense.AUDIO, "Jay/a.png")
    found = scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO)
    assert [sample.path.name for sample in found.images] == ["a.png"] and not found.audio
    assert sorted(str(path.relative_to(tmp_path)) for path in found.misnamed) == [
        "audio/Jay/a.png",
        "images/Jay/folder.png",
        "images/Jay/notes.txt",
        "images/loose.png",
    ]


def test_names_complete_the_label_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "images", "Jay/a.png", "Wren/a.png")
    (tmp_path / Sense.AUDIO).mkdir()
    jay = Species("Jay", "Garrulus glandarius", {"de": "Eichelhäher"})
    found = scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO, {"jay": jay})
    assert found.species == (jay, Species("Wren"))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("images", "images: no such folder; expected a folder with one for each species"),
        (Sense.AUDIO, "audio: no such folder"),
        ("neither", "no species in .*images or .*audio; expected a folder for each species"),
    ],
)
def test_folders_without_a_species_are_refused(tmp_path: Path, missing: str, words: str) -> None:
    for name in {"images", Sense.AUDIO} - {missing}:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=words):
        scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO)


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("XC12__0.wav", "XC12"),
        ("XC12__345.wav", "XC12"),
        ("a__b__3.wav", "a__b"),
        ("XC12_0.wav", "audio:XC12_0.wav"),
        ("XC12__.wav", "audio:XC12__.wav"),
        ("XC12__x.wav", "audio:XC12__x.wav"),
        ("__3.wav", "audio:__3.wav"),
        ("XC12__٣.wav", "audio:XC12__٣.wav"),
        ("XC12.wav", "audio:XC12.wav"),
    ],
)
def test_clips_share_the_recording_in_their_name(name: str, recording: str) -> None:
    """Only decimal digits 0 to 9 after two underscores make a clip."""
    assert recording_of(Path(name), Sense.AUDIO) == recording


def test_a_recording_and_its_clips_are_one(tmp_path: Path) -> None:
    touch(
        tmp_path / Sense.AUDIO,
        "Jay/song.wav",
        "Jay/song__1.wav",
        "Jay/song__2.wav",
        "Jay/call.wav",
        "Wren/song.wav",
    )
    touch(tmp_path / "images", "Jay/song.png")
    found = scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO)
    assert [sample.recording for sample in (*found.audio, *found.images)] == [
        "audio:call.wav",
        "song",
        "song",
        "song",
        "audio:song.wav",
        "image:song.png",
    ]


def test_a_photograph_and_a_recording_of_one_name_are_two_samples() -> None:
    assert recording_of(Path("1.png"), Sense.IMAGE) != recording_of(Path("1.png"), Sense.AUDIO)


def test_labels_in_a_flat_folder_are_kinds(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Sea_waves__002.ogg",
        "Sea_waves__001.wav",
        "hum.flac",
        "Rain__a__1.mp3",
        "notes.txt",
        ".hidden.wav",
        "folder/a.wav",
    )
    found, misnamed = scan_flat(tmp_path, Sense.AUDIO)
    assert [sample.label for sample in found] == ["Rain", "Sea_waves", "Sea_waves", "hum"]
    assert len({sample.recording for sample in found}) == 4
    assert [path.name for path in misnamed] == ["folder", "notes.txt"]


@pytest.mark.parametrize(
    ("sense", "words"),
    [
        (
            Sense.IMAGE,
            r"flat: no photographs; expected names such as <kind>__<n>.webp, without",
        ),
        (Sense.AUDIO, r"flat: no recordings; expected names such as <kind>__<n>.wav, without"),
    ],
)
def test_a_flat_folder_without_files_is_refused(tmp_path: Path, sense: Sense, words: str) -> None:
    with pytest.raises(InputError, match="flat: no such folder; expected "):
        scan_flat(tmp_path / "flat", sense)
    touch(tmp_path / "flat", "Rain/a__1.txt")
    with pytest.raises(InputError, match=words):
        scan_flat(tmp_path / "flat", sense)


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests that run as root could read any folder, so its listing is made to fail."""
    touch(tmp_path / "images", "Jay/a.png", "Wren/b.png")

    def guarded(folder: Path) -> Iterator[Path]:
        if folder.name == "Wren":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(folder)

    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", guarded)
    with pytest.raises(InputError, match=r"Wren: cannot be read \(Permission denied\)"):
        scan_dataset(tmp_path / "images", tmp_path / Sense.AUDIO, senses=[Sense.IMAGE])
