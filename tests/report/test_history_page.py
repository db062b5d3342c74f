"""The page of a history, and the command that writes it."""

import base64
import importlib.util
import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run
from history_rows import GERMAN, JAY, add_garden, visit_on
from pages import HOSTILE, photograph, section

from birdfield.errors import MissingError
from birdfield.journal.database import Journal
from birdfield.journal.history import gather_history
from birdfield.journal.opening import open_journal, read_journal
from birdfield.report.history_page import build_history, check_history, write_history

pytest.importorskip("jinja2", reason="jinja2 is not installed: birdfield[report]")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(open_journal(tmp_path / "garden")) as opened:
        add_garden(opened)
        yield opened


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


def test_a_sonogram_has_its_sound_beside_it(journal: Journal) -> None:
    """The sound of 2 s and 9000 rad/s is 1,432 Hz; a coder may add a few hundredths of a second."""
    page = build_history(journal, gather_history(journal, None, None))
    [(mime, data)] = re.findall(r'<audio [^>]*src="data:audio/(\w+);base64,([^"]*)"', page)
    assert mime in ("mpeg", "flac") and "media-src data:" in page
    sound, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate_hz == 16_000 and len(sound) / rate_hz == pytest.approx(2.0, abs=0.2)
    middle = sound[8_000:24_000]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(9000 / (2 * np.pi), abs=2)


def test_a_page_needs_jinja2_alone_and_names_the_pip_of_this_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Debian, where a system-wide pip is refused; without jinja2, nothing else is asked."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: found(name) if name not in ("jinja2", "matplotlib", "sklearn") else None,
    )
    monkeypatch.setattr("sys.prefix", str(Path.home() / "birdfield"))
    with pytest.raises(MissingError) as error:
        check_history(tmp_path / "page")
    assert str(error.value) == (
        "jinja2 is not installed; a report needs it: ~/birdfield/bin/pip install jinja2"
    )


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


def test_a_page_has_the_names_of_the_users_language(journal: Journal) -> None:
    page = build_history(journal, gather_history(journal, None, None), GERMAN)
    for part in ("hours", "days", "arrivals", "species", "senses", "evidence"):
        assert "Eichelhäher" in section(page, part)
    for part in ("arrivals", "species"):
        assert "Erithacus rubecula</i>" in section(page, part)
    assert ">Jay<" not in page and "of Jay" not in page


@pytest.mark.slow
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


def test_an_empty_journal_has_a_page(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "garden")) as opened:
        assert "No visits in this time" in build_history(opened, gather_history(opened, None, None))
