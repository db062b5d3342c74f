"""History: the visits of a journal summed up, as text and as a page."""

import base64
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import assert_refused, run
from journal_rows import ROBIN
from pages import HOSTILE, photograph, section

from birdfield.journal.database import Journal
from birdfield.journal.entries import SessionEntry, VisitEntry
from birdfield.journal.history import History, gather_history
from birdfield.journal.history_table import columns, fit, to_text
from birdfield.journal.media import BestMedia, Sound, write_evidence
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import visits_of
from birdfield.journal.records import UNDECIDED
from birdfield.model.names import Names
from birdfield.model.species import Species
from birdfield.report.history_page import build_history, write_history

pytest.importorskip("jinja2", reason="jinja2 is not installed: birdfield[report]")

FIRST = datetime(2026, 5, 1, 6, 30).astimezone()  # local time
JAY = replace(
    ROBIN,
    species="Jay",
    scientific="Garrulus glandarius",
    senses="both",
    agreement="agree",
    evidence=(),
)


def visit_on(entry: VisitEntry, days: int, hour: int, score: float = 0.8) -> VisitEntry:
    started = datetime(2026, 5, 1 + days, hour, 30).astimezone()
    return replace(
        entry, started=started, ended=started + timedelta(seconds=9), score=score, evidence=()
    )


def with_media(journal: Journal, entry: VisitEntry) -> VisitEntry:
    """Add a picture, red at the bird and black elsewhere, and a sound to a visit."""
    frame = np.zeros((200, 400, 3), np.uint8)
    frame[50:90, 100:140] = (0, 0, 255)
    media = BestMedia()
    media.offer_frame(frame, 0.9, (100, 50, 40, 40), 0.0, 5.0)
    times_s = np.arange(32_000) / 16_000
    media.offer_sound(Sound(np.sin(9000 * times_s).astype(np.float32), 16_000, 0.9, 0.0, 2.0))
    return replace(
        entry, evidence=write_evidence(journal.folder, entry.started, entry.species, media)
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A Robin heard on the first and the third day; on the second two Jays, one undecided."""
    with closing(open_journal(tmp_path / "garden")) as opened:
        opened.start_session(SessionEntry("a1b2", FIRST))
        heard = replace(ROBIN, senses="audio", agreement="single")
        for entry in (
            visit_on(heard, 0, 6),
            visit_on(heard, 2, 6, 0.7),
            with_media(opened, visit_on(JAY, 1, 7, 0.95)),
            visit_on(JAY, 1, 7),
            visit_on(replace(JAY, species=None, agreement="disagree"), 1, 9),
        ):
            opened.add_visit(entry, "a1b2")
        opened.add_events(
            [(FIRST, "camera lost", "dark"), (FIRST + timedelta(hours=1), "camera lost", "dark")]
        )
        yield opened


def test_visits_are_counted_by_species_hour_day_and_sense(journal: Journal) -> None:
    history = gather_history(journal, None, None)
    assert [row.label for row in history.species] == ["Jay", "Robin", UNDECIDED]
    jay, robin, _ = history.species
    assert (jay.hours[7], robin.hours[6], history.visits) == (2, 2, 5)
    assert [len(span) for span in history.spans()] == [1, 1, 1]
    assert [robin.days[span[0]] for span in history.spans()] == [1, 0, 1]
    assert history.senses() == {"both": 2, "audio": 2}, "an undecided visit counts in no sense"
    assert (robin.score, robin.last.started.day) == (0.8, 3)
    assert history.events["camera lost"][0] == 2


def test_a_species_that_is_written_during_the_reading_is_new(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Wren is written between the query for first visits and the query for visits."""

    def late(*arguments: object, **named: object) -> object:
        journal.add_visit(visit_on(replace(JAY, species="Wren"), 3, 7), "a1b2")
        return visits_of(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("birdfield.journal.history.visits_of", late)
    history = gather_history(journal, None, None)
    assert [row.label for row in history.arrivals] == ["Robin", "Jay", "Wren"]


def test_a_species_with_an_earlier_visit_is_not_new(journal: Journal) -> None:
    """The first visit of the Robin is before the period, that of the Jay in it."""
    history = gather_history(journal, FIRST + timedelta(days=1), None)
    assert [row.label for row in history.arrivals] == ["Jay"]
    assert [row.label for row in gather_history(journal, None, None).arrivals] == ["Robin", "Jay"]
    assert gather_history(journal, None, FIRST).visits == 0


def test_a_long_history_is_shown_by_week(journal: Journal) -> None:
    """Friday, 1 May, to Friday, 5 June, is 6 calendar weeks; the first has three days."""
    june = visit_on(ROBIN, 0, 6)
    journal.add_visit(replace(june, started=june.started + timedelta(days=35)), "a1b2")
    spans = gather_history(journal, None, None).spans()
    assert [len(span) for span in spans] == [3, 7, 7, 7, 7, 5]


def test_a_table_for_a_terminal(journal: Journal) -> None:
    lines = to_text(gather_history(journal, None, None)).splitlines()
    assert lines[0].startswith("5 visits of 2 species, 2026-05-01 to 2026-05-03")
    assert lines[3].split() == ["Jay", "2", ".......2................", "0", "0", "2", "0.95"]
    assert lines[5].split() == [UNDECIDED, "1", ".........1.............."]
    assert lines[7:9] == ["New in this journal:", "  2026-05-01 06:30  Robin, heard, 0.80"]
    assert max(map(len, lines)) <= 80
    assert to_text(gather_history(journal, None, FIRST)) == "no visits"


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("Jay", "Jay   "),
        ("Nightingale", "Night…"),
        ("ホオジロ", "ホオ… "),
        ("aホオジロ", "aホオ…"),
        ("Z\u030cluna", "Z\u030cluna "),
        ("गुरु", "गुरु    "),
    ],
)
def test_names_of_any_script_fit_a_column(text: str, fitted: str) -> None:
    assert fit(text, 6) == fitted


def test_a_page_shows_hours_arrivals_senses_and_evidence(journal: Journal) -> None:
    page = build_history(journal, gather_history(journal, None, None))
    hours = section(page, "hours").split("<tr>")[2]
    assert re.findall(r"<td[^>]*>(\d*)</td>", hours) == [
        "2" if hour == 7 else "" for hour in range(24)
    ]
    assert section(page, "arrivals").count("<time") == 2
    assert re.findall(r"<b>(\d+)</b>", section(page, "summary")) == ["2", "0", "2"]
    assert section(page, "senses").count("<li>") == 1  # the undecided one
    assert section(page, "evidence").count("<img") == 2
    assert "camera lost</th><td>2</td>" in section(page, "station")
    assert not re.search(r"https?:|@import|url\((?!#)", re.sub(r"base64,[^\"]*", "", page))
    assert all(" alt=" in tag for tag in re.findall(r"<img [^>]*>", page))


def test_a_picture_is_cropped_around_the_bird(journal: Journal) -> None:
    """40 pixels of bird and as many around it are 80 x 80, of which a quarter is red."""
    page = build_history(journal, gather_history(journal, None, None))
    data = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)"', page)[0]
    cut = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert cut is not None and cut.shape[:2] == (80, 80)
    assert (cut[..., 2] > 128).mean() == pytest.approx(0.25, abs=0.03)


def test_a_file_outside_the_journal_is_not_shown(journal: Journal, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "secret.jpg"), np.full((50, 50, 3), 99, np.uint8))
    with journal.transaction() as database:
        database.execute("UPDATE evidence SET path = '../secret.jpg' WHERE kind = 'picture'")
    page = build_history(journal, gather_history(journal, None, None))
    assert section(page, "evidence").count("<img") == 1  # the sonogram


def test_hostile_names_are_escaped_in_a_history(journal: Journal) -> None:
    for name in HOSTILE:
        journal.add_visit(visit_on(replace(JAY, species=name, scientific=name), 1, 8), "a1b2")
    page = build_history(journal, gather_history(journal, None, None))
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<script>") == 1


def test_the_report_command(journal: Journal, tmp_path: Path) -> None:
    out = tmp_path / "page"
    for _ in range(2):  # the second replaces the first
        result = run("report", journal.folder, "--since", "2026-05-02", "--html", out)
        assert (result.exit_code, result.stdout) == (0, f"{out / 'index.html'}\n")
    assert "Jay" in (out / "index.html").read_text()
    assert "4 visits of 2 species" in run("report", journal.folder, "--since", "2026-05-02").stdout
    csv = tmp_path / "names.csv"
    csv.write_text("label,scientific,lang,name\nJay,,de,Eichelhäher\n", encoding="utf-8")
    flags = ("report", journal.folder, "--lang", "de", "--names", csv)
    assert "Eichelhäher" in run(*flags).stdout
    assert run(*flags, "--html", out).exit_code == 0
    assert "Eichelhäher" in (out / "index.html").read_text(encoding="utf-8")
    (out / "thesis.txt").touch()
    assert_refused(
        run("report", journal.folder, "--html", out),
        1,
        "page exists already and is not a report",
        "another name",
    )
    assert_refused(run("report", tmp_path / "missing"), 1, "no journal here")
    assert_refused(run("report", journal.folder, "--since", "spring"), 2, "--since is 'spring'")


GERMAN = Names(
    [
        Species("Jay", None, {"de": "Eichelhäher"}),
        Species("Robin", "Erithacus rubecula", {"de": "Rotkehlchen"}),
    ],
    "de",
)


def test_a_table_has_the_names_of_the_users_language(journal: Journal) -> None:
    """The scientific name of the Jay is in the journal, that of the Robin in the names."""
    lines = to_text(gather_history(journal, None, None), GERMAN).splitlines()
    assert lines[3].startswith("Eichelhäher  ") and lines[4].startswith("Rotkehlchen  ")
    assert lines[8:] == [
        "  2026-05-01 06:30  Rotkehlchen (Erithacus rubecula), heard, 0.80",
        "  2026-05-02 07:30  Eichelhäher (Garrulus glandarius), seen and heard, 0.95",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("カケス", "カケス (Garrulus glandarius)"),
        ("Fernöstlicher Eichelhäher", "Fernöstlicher Eichelhäher"),
        ("カケス" * 9, "カケス" * 6 + "…"),
    ],
)
def test_a_long_name_does_not_widen_a_table(journal: Journal, name: str, shown: str) -> None:
    """A line of 80 columns has 20 for the time, 22 for senses and score, and 38 for the name."""
    names = Names([Species("Jay", None, {"xx": name})], "xx")
    lines = to_text(gather_history(journal, None, None), names).splitlines()
    assert max(map(columns, lines)) <= 80
    assert [columns(line[: line.index("...")]) for line in lines[3:5]] == [32, 32]
    assert lines[-1] == f"  2026-05-02 07:30  {shown}, seen and heard, 0.95"


def test_a_page_has_the_names_of_the_users_language(journal: Journal) -> None:
    page = build_history(journal, gather_history(journal, None, None), GERMAN)
    for part in ("hours", "days", "arrivals", "species", "senses", "evidence"):
        assert "Eichelhäher" in section(page, part)
    for part in ("arrivals", "species"):
        assert "Erithacus rubecula</i>" in section(page, part)
    assert ">Jay<" not in page and "of Jay" not in page


@pytest.mark.browser
@pytest.mark.parametrize("width_px", [500, 1280])  # 500 is the narrowest window of Chromium
def test_a_browser_shows_a_history(journal: Journal, tmp_path: Path, width_px: int) -> None:
    for number, name in enumerate(HOSTILE):
        journal.add_visit(visit_on(replace(JAY, species=name), number, 8), "a1b2")
    with closing(read_journal(journal.folder)) as opened:
        write_history(tmp_path / "page", opened, gather_history(opened, None, None))
    seen = photograph(tmp_path / "page" / "index.html", width_px, 3500)
    green = (seen == (0x5C, 0x80, 0x00)).all(axis=2)  # the strongest cell of the heat map
    assert green.sum() > 200 and (seen[2500:] != seen[0, 0]).any()


def test_an_empty_journal_has_a_page(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "garden")) as opened:
        history = gather_history(opened, None, None)
        assert history == History((), (), {}, None)
        assert "No visits in this time" in build_history(opened, history)
