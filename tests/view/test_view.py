"""View: what it shows of a scene, and that it fits the terminal."""

import io
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from journal_rows import ROBIN
from rich.cells import cell_len
from rich.console import Console
from toy_scene import film, song, toy_recogniser

from birdfield.capture.camera import open_camera
from birdfield.capture.microphone import open_microphone
from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import open_journal, read_journal
from birdfield.model.audio_specs import YAMNET
from birdfield.model.names import Names
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species
from birdfield.recognise.decide import Agreement, Decision
from birdfield.recognise.observation import Observation
from birdfield.recognise.reason import Reason
from birdfield.view.layout import draw
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.view.state import View
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources
from birdfield.watch.window import Window

LONG = "Orange-breasted Trillet of the Farthest Southern Meadows"
WatchedScene = tuple[SceneWatcher, MeteredMicrophone]
NOON = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[WatchedScene]:
    """Yield a scene in which a Robin is seen and heard for 12 s."""
    camera = open_camera(film(tmp_path / "a.avi", 12))
    microphone = open_microphone(song(tmp_path / "a.wav", 12), YAMNET.rate_hz)
    assert camera and microphone
    metered = MeteredMicrophone(microphone, YAMNET.rate_hz)
    yield SceneWatcher(toy_recogniser(), Sources(camera, metered), fast=True), metered
    camera.close()
    metered.close()


@pytest.fixture
def berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def window(decision: Decision | None, end_s: float, **faults: str | None) -> Window:
    observation = (
        None
        if decision is None
        else Observation(NOON, end_s - 5, end_s, decision, "camera", "microphone")
    )
    return Window(
        NOON.astimezone(UTC) + timedelta(seconds=end_s), end_s - 5, end_s, faults, observation
    )


def decision(
    species: str | None, *senses: Sense, agreement: Agreement = Agreement.AGREE
) -> Decision:
    return Decision(
        species,
        0.97,
        0.8,
        0.2,
        senses or EACH_SENSE,
        ((species or "Jay", 0.97), (LONG, 0.02), ("ホオジロ", 0.01)),
        agreement,
        1.0,
        1.0,
        reason=None if species else Reason.UNLIKE,
    )


def lines(view: View, width: int = 80, height: int = 24, colours: bool = True) -> list[str]:
    """Draw a view, check that it fits the terminal, and return its lines."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(draw(view, width, height, colours), height=height)
    drawn = console.export_text().splitlines()
    assert len(drawn) <= height and all(cell_len(line) <= width for line in drawn)
    return drawn


def has(drawn: list[str], *words: str) -> bool:
    """Return whether one line has all the words."""
    return any(all(word in line for word in words) for line in drawn)


def test_a_view_shows_the_answer_the_sound_and_the_station(scene: WatchedScene) -> None:
    view = View(scene[0], "toy.birdfield", scene[1], None)
    assert has(lines(view), "Nothing yet")
    windows = list(view.windows())
    drawn = lines(view)
    assert has(drawn, "birdfield toy.birdfield") and has(drawn, "Robin", "1.00")
    assert has(drawn, "sight and sound agree") and has(drawn, "camera ok", "microphone ok")
    assert has(drawn, f"windows {len(windows)},") and has(drawn, "dropped 0", "throttled 0")
    assert has(drawn, f"Answers: {view.answers}, 1 species")
    assert has(drawn, "level ━") and has(drawn, " MB")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (60, 24), (80, 15), (40, 12)])
@pytest.mark.parametrize("colours", [True, False])
def test_a_view_fits_its_terminal(
    scene: WatchedScene, width: int, height: int, colours: bool
) -> None:
    view = View(scene[0], "a-model-with-a-name-that-is-as-long-as-a-line-" * 2, scene[1], None)
    view.messages += ["a message that is much longer than the terminal is wide " * 3] * 3
    list(view.windows())
    for number, name in enumerate((LONG, "ホオジロ" * 9, "[red]Robin[/]", LONG)):
        view.add(window(decision(name), 20 + number))
    drawn = lines(view, width, height, colours)
    assert len(drawn) == height
    spectrum = [line for line in drawn if "▀" in line]
    assert len(spectrum) == (6 if colours and height >= 20 else 0)
    assert width < 80 or has(drawn, "[red]Robin[/]"), "a name is not read as markup"


def test_an_old_answer_is_shown_as_past(
    scene: WatchedScene,
) -> None:
    view = View(scene[0], "toy", scene[1], None)
    view.add(window(decision("Jay", agreement=Agreement.DISAGREE), 5))
    assert has(lines(view), "sight and sound disagree")
    view.add(window(None, 14.6, camera="dark", microphone=None))
    drawn = lines(view)
    assert has(drawn, "Before: Jay, 10 s ago") and not has(drawn, "disagree")
    assert has(drawn, "camera dark", "microphone ok")
    view.add(window(decision(None, Sense.AUDIO, agreement=Agreement.SINGLE), 17))
    assert has(lines(view), "unknown: too unlike any species") and has(
        lines(view), "by sound alone"
    )


def test_the_view_lists_the_visits_of_today_in_the_journal(
    scene: WatchedScene, tmp_path: Path
) -> None:
    """A visit of yesterday is not listed; a visit that is written during the view is."""
    with closing(open_journal(tmp_path / "garden")) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        for days in (1, 0):
            journal.add_visit(
                replace(ROBIN, started=NOON - timedelta(days=days), evidence=()), "a1b2"
            )
        with closing(read_journal(journal.folder)) as opened:
            view = View(scene[0], "toy", scene[1], opened)
            view.add(window(decision("Jay"), 5))
            assert has(lines(view), "Today: 1 visit, 1 species")
            assert has(lines(view), "12:00 Robin", "seen, heard")
            journal.add_visit(
                replace(ROBIN, started=NOON, species=None, senses=Sense.AUDIO, evidence=()), "a1b2"
            )
            view.add(window(None, 7))
            assert has(lines(view), "Today: 2 visits, 1 species"), (
                "an undecided visit has no species"
            )
            assert has(lines(view), "undecided", "heard")


def test_today_ends_at_midnight(scene: WatchedScene, tmp_path: Path) -> None:
    """The list becomes empty although the journal does not change."""
    with closing(open_journal(tmp_path / "garden")) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        journal.add_visit(replace(ROBIN, started=NOON, evidence=()), "a1b2")
        with closing(read_journal(journal.folder)) as opened:
            view = View(scene[0], "toy", scene[1], opened)
            view.add(window(None, 5))
            assert view.today.total() == 1
            view.add(window(None, 12 * 3600 + 5))
            assert view.today.total() == 0 and view.recent == ()


def test_today_begins_at_midnight_when_summer_time_starts(
    scene: WatchedScene, tmp_path: Path, berlin: None
) -> None:
    """At 12:00 of that day, midnight was 11 hours before: 23:30 and 00:30 are on two days."""
    noon = datetime(2026, 3, 29, 10, tzinfo=UTC)
    with closing(open_journal(tmp_path / "garden")) as journal:
        journal.start_session(SessionEntry("a1b2", noon))
        for hours in (11.5, 10.5):
            journal.add_visit(
                replace(ROBIN, started=noon - timedelta(hours=hours), evidence=()), "a1b2"
            )
        with closing(read_journal(journal.folder)) as opened:
            view = View(scene[0], "toy", scene[1], opened)
            view.add(Window(noon, 0, 5))
            assert view.today.total() == 1


def test_a_view_continues_when_its_journal_cannot_be_read(
    scene: WatchedScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_journal(tmp_path / "garden")) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        with closing(read_journal(journal.folder)) as opened:
            view = View(scene[0], "toy", scene[1], opened)
            journal.add_visit(replace(ROBIN, started=NOON, evidence=()), "a1b2")
            view.add(window(None, 5))
        for end_s in (7, 9):  # a closed journal fails as one on a worn card does
            view.add(window(None, end_s))
    assert view.today.total() == 1
    assert caplog.text.count("the journal cannot be read") == 1


@pytest.mark.parametrize(
    ("code", "name", "width", "shown"),
    [
        ("de", "Rotkehlchen", 80, "Rotkehlchen Erithacus rubecula"),
        ("de", "Südliches Wiesenrotkehlchen", 80, "Südliches Wiesenrotkehlchen "),
        (
            "de",
            "Südliches Wiesenrotkehlchen",
            100,
            "Südliches Wiesenrotkehlchen Erithacus rubecula",
        ),
        ("ja", "ヨーロッパコマドリ", 80, "ヨーロッパコマドリ "),
        ("ja", "ヨーロッパコマドリ", 82, "ヨーロッパコマドリ Erithacus rubecula"),
        ("ja", "ヨーロッパ" * 9, 80, "ヨーロッパ" * 3 + "ヨー …"),
    ],
)
def test_species_have_the_names_of_the_chosen_language(
    scene: WatchedScene, code: str, name: str, width: int, shown: str
) -> None:
    """Half of 80 columns less 4 of the frame are 36; the scientific name has 18.

    The German names need 11 + 1 + 18 and 27 + 1 + 18 columns, the Japanese one 18 + 1 + 18. Of
    wide characters, 17 and an ellipsis fit.
    """
    names = Names([Species("Robin", "Erithacus rubecula", {code: name})], code)
    view = View(scene[0], "toy", scene[1], None, names)
    view.add(window(decision("Robin"), 5))
    drawn = lines(view, width)
    assert has(drawn, shown) and not has(drawn, "Robin")
    assert has(drawn, "Erithacus") == ("Erithacus" in shown)
    view.add(window(None, 14))
    assert has(lines(view), "Before: ") and has(lines(view), name[:5])


def test_visits_are_listed_with_the_scientific_names_of_the_journal(
    scene: WatchedScene, tmp_path: Path
) -> None:
    """Half of 120 columns leaves 60 - 4 - 5 - 11 - 4 = 36 for a name: 11 + 1 + 18 fit."""
    names = Names([Species("Robin", None, {"de": "Rotkehlchen"})], "de")
    with closing(open_journal(tmp_path / "garden")) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        journal.add_visit(
            replace(ROBIN, started=NOON, scientific="Erithacus rubecula", evidence=()), "a1b2"
        )
        view = View(scene[0], "toy", scene[1], journal, names)
        view.add(window(None, 5))
        assert has(lines(view, 120), "12:00 Rotkehlchen Erithacus rubecula", "seen, heard")
        assert has(lines(view, 80), "12:00 Rotkehlchen ") and not has(lines(view, 80), "Erithacus")
