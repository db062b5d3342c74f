"""Output: what a terminal, a program and a spreadsheet receive."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import lines_of, run
from journal_rows import DAWN, ROBIN

from birdfield.commands.describe import _interval
from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import open_journal


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """An encoding that lacks a letter, or a bird outside the first plane, has its escape."""
    label = "\u017dluna \U0001f426 \u00e4"
    with closing(open_journal(tmp_path / "J")) as journal:
        journal.start_session(SessionEntry("a1b2", DAWN))
        journal.add_visit(replace(ROBIN, species=label, evidence=()), "a1b2")
    done = subprocess.run(
        [sys.executable, "-m", "birdfield", "visits", str(tmp_path / "J"), "--json"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout.decode(encoding))["species"] == label


def test_a_model_card_cannot_command_a_terminal(fake: Path) -> None:
    """The manifest does not list the card, so anybody may have put it there."""
    card = "# Card\n\x1b]0;owned\x07\x1b[2J\u202ehidden\tcell \u00e4\n"
    (fake / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    printed = run("info", fake)
    assert printed.exit_code == 0
    assert "\x1b" not in printed.stdout and "\x07" not in printed.stdout
    assert "\u202e" not in printed.stdout
    assert (
        "# Card\n\\x1b]0;owned\\x07\\x1b[2J" in printed.stdout and "\tcell \u00e4" in printed.stdout
    )


def test_an_interval_of_an_older_bundle_has_a_width() -> None:
    """Of 30 right answers in 30, Wilson's lower bound is 30 / (30 + 1.96^2) = 0.8865."""
    assert _interval(1.0, 30, (1.0, 1.0)) == (0.8865, 1.0)
    assert _interval(0.9, 30, (0.8, 0.95)) == (0.8, 0.95)
    assert _interval(0.0, 30, (0.0, 0.0)) == (0.0, 0.1135)


def test_visits_since_today(tmp_path: Path) -> None:
    """The visit is of May, long before today."""
    with closing(open_journal(tmp_path / "J")) as journal:
        journal.start_session(SessionEntry("a1b2", DAWN))
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    assert lines_of(run("visits", tmp_path / "J", "--since", "2000w", "--json"))
    for period in ("today", "yesterday"):
        assert not lines_of(run("visits", tmp_path / "J", "--since", period, "--json"))
        assert run("report", tmp_path / "J", "--since", period).stdout == "no visits\n"
