"""The reloader: in this process without a scene, and in a real watch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import factory
from reloads import reload_often
from waiting import wait_for

from birdfield.settings.configuration import StationConfig, load_config
from birdfield.settings.reload import FileChangeDebouncer, Reloader
from birdfield.settings.rules import LiveRules, Rules, rules_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def replace(path: Path, text: str) -> None:
    """Replace a file at once, as careful editors do."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


@contextmanager
def following(path: Path, poll_s: float = 60) -> Iterator[tuple[Reloader, LiveRules]]:
    config, live = load_config(path), LiveRules()

    def make_rules(config: StationConfig) -> Rules:
        return rules_of(config, factory().species, None)

    reloader = Reloader(config, make_rules, live, poll_s)
    try:
        yield reloader, live
    finally:
        reloader.close()


def test_a_changed_file_takes_effect_and_a_broken_one_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "birdfield.toml"
    path.write_text("[species]\n")
    with following(path, poll_s=0.01) as (reloader, live):
        replace(path, '[species]\nexclude = ["wren"]')
        wait_for(lambda: reloader.count == 1, "the reload")
        assert not live.current.allow("Wren", 1.0, NOON) and live.current.allow("Jay", 0.1, NOON)
        rules = live.current
        replace(path, '[species]\nexclude = "wren"')
        wait_for(lambda: reloader.refused == 1, "the refusal")
        path.unlink()
        wait_for(lambda: reloader.refused == 2, "the refusal")
    assert live.current is rules
    assert "CONFIGURATION REFUSED" in caplog.text and "line 2: species.exc" in caplog.text
    assert [kind for kind, _ in live.notes] == [
        "configuration read",
        "configuration refused",
        "configuration refused",
    ]


def test_a_changed_checklist_takes_effect(tmp_path: Path) -> None:
    checklist = tmp_path / "list.csv"
    checklist.write_text("species,weeks\nWren,\n")
    path = tmp_path / "birdfield.toml"
    path.write_text('[species]\nchecklist = "list.csv"\nunexpected = 0.5')
    with following(path, poll_s=0.01) as (reloader, live):
        replace(checklist, "species,weeks\nWren,\nJay,\n")
        wait_for(lambda: reloader.count == 1, "the reload")
    assert live.current.log_prior is not None
    assert [value == 0 for value in live.current.log_prior(18)] == [True, False, True]


def test_a_file_counts_as_changed_once_it_is_stable() -> None:
    """The looks find it unchanged, emptied, half written, new three times, and gone twice.

    The second look at the new file, and the second without the file, report a change.
    """
    whole, empty, half, other = (((number, number, 1),) for number in range(4))
    debouncer = FileChangeDebouncer(whole)
    looks = [whole, empty, half, other, other, other, (None,), (None,)]
    assert [debouncer.changed(look) for look in looks] == [False] * 4 + [True, False, False, True]


def test_a_change_that_needs_a_restart_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "birdfield.toml"
    path.write_text("[journal]\ngap_s = 30")
    with following(path) as (reloader, _):
        path.write_text("[journal]\ngap_s = 40")
        os.utime(path, ns=(0, 0))
        reloader.request()
        wait_for(lambda: reloader.count == 1, "the reload")
    assert "journal.gap_s changed; restart the watch" in caplog.text


@pytest.mark.slow
def test_reloads_do_not_stop_a_watch(toy_bundle: Path, tmp_path: Path) -> None:
    """Ten reloads, one of a broken file; `make faults` runs 500 and measures the gaps."""
    found = reload_often(toy_bundle, tmp_path, 10, load=0)
    assert (found.accepted, found.refused, found.in_force) == (9, 1, True)
    assert found.decisions >= 3
