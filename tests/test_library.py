"""Library: `birdfield.open` and what it returns, and the snippets of the documents."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import birdfield
from birdfield import InputError, MissingError, Sense
from birdfield.model.open_model import open_model
from birdfield.recognise.close_look import CloseLookEncoder
from birdfield.recognise.identify import identify_file, identify_pair
from birdfield.signals.image import read_image

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
BIRD = next((GOLDEN / "images" / "Copper_Wagtip").iterdir())
SONG = next((GOLDEN / "audio" / "Copper_Wagtip").iterdir())
NEW_BIRD = next((GOLDEN / "images" / "Lagoon_Gleamer").iterdir())
NEW_SONG = next((GOLDEN / "audio" / "Lagoon_Gleamer").iterdir())
SNIPPETS = [
    (page, number)
    for page in ("README.md", "docs/guide/library.md")
    for number in range((ROOT / page).read_text().count("```python"))
]


@pytest.fixture
def model(toy_bundle: Path, tmp_path: Path) -> birdfield.Model:
    return birdfield.open(shutil.copytree(toy_bundle, tmp_path / "toy.birdfield"))


def test_a_pair_is_answered_as_by_the_command(model: birdfield.Model, toy_bundle: Path) -> None:
    answer = model.identify(image=BIRD, audio=str(SONG))
    assert (answer.species, answer.senses) == ("Copper Wagtip", (Sense.IMAGE, Sense.AUDIO))
    _, encoder, gallery = open_model(toy_bundle)
    decision = identify_pair(CloseLookEncoder(encoder, gallery), gallery, BIRD, SONG).decision
    assert (answer.score, answer.top, answer.agreement) == (
        decision.score,
        decision.top,
        decision.agreement,
    )


def test_an_unknown_answer_has_a_reason(model: birdfield.Model) -> None:
    """Grey noise of little contrast is no bird of the toy model's; the wagtip is one."""
    known = model.identify(image=BIRD)
    assert known.reason is None and known.figure is not None and known.figure.margin >= 0
    noise = np.random.default_rng(0).integers(90, 160, (240, 320, 3)).astype(np.uint8)
    answer = model.identify(image=noise)
    assert answer.unknown and answer.reason in ("unlike", "background")
    assert answer.figure is not None
    assert answer.figure.margin == answer.margin_over_unknown < 0
    hiss = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 6).astype(np.float32)
    answer = model.identify(audio=(hiss, 16_000))
    assert (answer.reason, answer.figure and answer.figure.measure) == (
        "no_bird_class",
        "bird class",
    )


def test_a_recording_has_an_answer_for_each_window(model: birdfield.Model) -> None:
    long = GOLDEN / "long.ogg"
    answers = list(model.identify_file(long))
    _, encoder, gallery = open_model(model.info.folder)
    observations = list(identify_file(encoder, gallery, long))
    assert [(answer.start_s, answer.species) for answer in answers] == [
        (observation.start_s, observation.decision.species) for observation in observations
    ]
    assert len(answers) == 3


def test_arrays_are_embedded_as_their_files_are(model: birdfield.Model) -> None:
    """Both embeddings are unit vectors, so equal ones have a cosine of 1."""
    rgb = np.ascontiguousarray(read_image(BIRD)[:, :, ::-1])
    samples, rate_hz = soundfile.read(SONG, dtype="float32")
    assert np.isclose(model.embed(image=rgb) @ model.embed(image=BIRD), 1, atol=1e-5)
    assert np.isclose(model.embed(audio=(samples, rate_hz)) @ model.embed(audio=SONG), 1, atol=1e-3)
    assert model.embed(image=BIRD, audio=SONG).shape == (128,)


def test_a_species_is_enrolled_renamed_and_removed(model: birdfield.Model) -> None:
    assert model.identify(image=NEW_BIRD, audio=NEW_SONG).species != "Lagoon Gleamer"
    reports = model.enrol("Lagoon_Gleamer", [NEW_BIRD, NEW_SONG])
    assert [report.path for report in reports] == [NEW_BIRD, NEW_SONG]
    assert model.identify(image=NEW_BIRD, audio=NEW_SONG).species == "Lagoon Gleamer"
    model.rename("Lagoon Gleamer", "Pond Gleamer")
    assert birdfield.open(model.info.folder).species == model.species
    assert "Pond Gleamer" in [species.label for species in model.species]
    model.remove("Pond Gleamer")
    assert model.identify(image=NEW_BIRD, audio=NEW_SONG).species != "Pond Gleamer"


def test_a_store_of_its_own_leaves_the_bundles_alone(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(toy_bundle, tmp_path / "toy.birdfield")
    first = birdfield.open(bundle, store=tmp_path / "one" / "garden.store")
    first.enrol("Lagoon Gleamer", [NEW_BIRD])
    again = birdfield.open(bundle, store=tmp_path / "one" / "garden.store")
    assert "Lagoon Gleamer" in [species.label for species in again.species]
    assert len(birdfield.open(bundle).species) == len(again.species) - 1
    assert (tmp_path / "one" / "garden.store").is_file()


@pytest.mark.parametrize(
    ("image", "audio", "words"),
    [
        (None, None, "expected at least one"),
        (SONG, None, "a recording; expected a photograph"),
        (None, BIRD, "a photograph; expected a recording"),
        (np.zeros((4, 4), np.uint8), None, r"uint8 \[4, 4\]; expected uint8 \[H, W, 3\]"),
        (np.zeros((4, 4, 3), np.float32), None, "expected uint8"),
        (None, (np.zeros((9, 2), np.float32), 16_000), r"expected finite float32 \[N\]"),
        (None, (np.full(9, np.nan, np.float32), 16_000), "expected finite"),
        (None, (np.zeros(16_000, np.float32), 0), "a sound of 0 Hz; expected"),
        (None, (np.zeros(16_000, np.float32), 16_000), "silent"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    model: birdfield.Model, image: object, audio: object, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        model.identify(image=image, audio=audio)  # type: ignore[arg-type]


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"):
        birdfield.open(tmp_path / "gone.birdfield")
    assert issubclass(MissingError, birdfield.BirdfieldError)


def test_threads_share_a_model(model: birdfield.Model) -> None:
    """Interpreters are not thread-safe: without the lock the answers would differ or crash."""
    expected = model.identify(image=BIRD, audio=SONG)
    found: list[birdfield.Answer] = []

    def work() -> None:
        found.extend(model.identify(image=BIRD, audio=SONG) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 20


def test_importing_the_library_loads_nothing_heavy() -> None:
    program = "import sys, birdfield; birdfield.open; print('numpy' in sys.modules)"
    quick = "import sys, birdfield; print('numpy' in sys.modules)"
    assert _run(program, Path.cwd()) == "True\n"
    assert _run(quick, Path.cwd()) == "False\n"


def test_each_public_name_is_there() -> None:
    for name in birdfield.__all__:
        assert getattr(birdfield, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        birdfield.nonsense  # noqa: B018


@pytest.mark.parametrize(("page", "number"), SNIPPETS)
def test_each_snippet_of_the_documents_runs(
    page: str, number: int, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIRDFIELD_MODEL", str(toy_bundle))
    shutil.copy(BIRD, tmp_path / "bird.jpg")
    shutil.copy(SONG, tmp_path / "song.wav")
    snippets = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
    assert _run(snippets[number], tmp_path)


def _run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
