"""The configuration file: its keys, their values, and the template."""

import re
from pathlib import Path

import pytest
from command_line import assert_refused, run

from birdfield.errors import ConfigError
from birdfield.settings.configuration import TEMPLATE, load_config
from birdfield.settings.place import Location
from birdfield.settings.schema import DEFAULTS, KEYS, Settings, value_of, with_values


def write(folder: Path, text: str) -> Path:
    path = folder / "birdfield.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_template_sets_nothing_and_shows_every_key_with_a_comment(tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert load_config(TEMPLATE).settings == DEFAULTS
    example = re.sub(r'(?m)^#(?=[\w"][^=\n]* = )', "", text)
    assert load_config(write(tmp_path, example)).keys == set(KEYS)
    for line, before in zip(text.splitlines()[1:], text.splitlines(), strict=False):
        assert not re.match(r'#[\w"]', line) or before.startswith("#"), line


def test_the_defaults_in_the_template_are_those_of_the_program(tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    for key in (
        "watch.camera",
        "watch.microphone",
        "watch.camera_latency_s",
        "watch.microphone_latency_s",
        "species.threshold",
        "species.unexpected",
    ):
        name = key.partition(".")[2]
        assert re.search(rf'^#{name} = "?{value_of(DEFAULTS, key)}"?$', text, re.MULTILINE), key


def test_each_setting_is_written_as_its_key_reads_it(tmp_path: Path) -> None:
    """A value of each kind that has a type of its own, and one of each other kind."""
    text = """[watch]\ncrop = "1,2,30,40"\nblank = ["5,6,7,8"]\n[journal]\nkeep_best = 3
[place]\nlocation = "-33.9,151.25,Sydney, home"\n[quiet]\nhours = "night"
[species]\ninclude = ["Jay"]\n"""
    settings = load_config(write(tmp_path, text)).settings
    assert (settings.watch.crop, settings.watch.blank) == ((1, 2, 30, 40), ((5, 6, 7, 8),))
    assert settings.place.location == Location(-33.9, 151.25, "Sydney, home")
    for name in ("watch.crop", "watch.blank", "place.location", "quiet.hours", "journal.keep_best"):
        setting = value_of(settings, name)
        assert KEYS[name].read(KEYS[name].write(setting)) == setting, name


def test_settings_are_replaced_by_key() -> None:
    settings = with_values(Settings(), {"watch.camera": "1", "quiet.hours": "night"})
    assert (settings.watch.camera, settings.quiet.hours) == ("1", "night")
    assert settings.watch.microphone == "default" and Settings().watch.camera == "0"


BAD = [
    ("[watch]\ncamera = 0", "line 2: watch.camera is 0; expected a device's number"),
    ("[watch]\nmicrophone = true", "line 2: watch.microphone is True; expected a device's name"),
    ("[watch]\nmodel = ''", "line 2: watch.model is ''; expected the folder of a bundle"),
    ("[watch]\ncrop = '1,2'", "line 2: watch.crop is '1,2'; expected X,Y,W,H"),
    ("[watch]\ncamera_latency_s = -1", "watch.camera_latency_s is -1; expected a number"),
    ("[watch]\nmicrophone_latency_s = 11", "watch.microphone_latency_s is 11; expected a number"),
    ("[watch]\n\nblank = [\n'1,2,0,4']", "line 3: watch.blank is ['1,2,0,4']; expected a list"),
    ("[journal]\nfolder = 1", "line 2: journal.folder is 1; expected a folder"),
    ("[journal]\nfolder = '~nobody-here/x'", "journal.folder is '~nobody-here/x'; expected a fold"),
    ("[journal]\ngap_s = 0", "line 2: journal.gap_s is 0; expected a number of seconds from 1"),
    ("[journal]\ngap_s = nan", "line 2: journal.gap_s is nan; expected a number of seconds"),
    ("[journal]\nkeep_voices = 'no'", "line 2: journal.keep_voices is 'no'; expected true or"),
    ("[journal]\nkeep_best = 1.5", "line 2: journal.keep_best is 1.5; expected a whole number"),
    ("[journal]\nkeep_days = -1", "line 2: journal.keep_days is -1; expected a number of days"),
    ("[journal]\nkeep_gb = 'two'", "line 2: journal.keep_gb is 'two'; expected a number of GB"),
    (
        "[journal]\nkeep_gb = '1,500'",
        "line 2: journal.keep_gb is '1,500'; expected a number of GB from 0 to 1000000, with a "
        "decimal point, such as 0.5",
    ),
    ("[journal]\ngap_s = 30,5 # s", "line 2 has the number 30,5: with a decimal point, such as"),
    ("[place]\nlocation = '52,52,13,40'", "line 2: place.location is '52,52,13,40'; expected deg"),
    ("[journal]\nkeep_free_gb = []", "line 2: journal.keep_free_gb is []; expected a number"),
    ("[journal]\ngap_s = inf", "line 2: journal.gap_s is inf; expected a number of seconds from"),
    ("[journal]\nkeep_days = 999999", "journal.keep_days is 999999; expected a number of days fr"),
    ("[journal]\nkeep_gb = inf", "line 2: journal.keep_gb is inf; expected a number of GB from"),
    ("[journal]\nkeep_best = 9999999999999999999", "keep_best is 9999999999999999999; expected"),
    ("[place]\nlocation = 'north'", "line 2: place.location is 'north'; expected degrees"),
    ("[names]\nfile = 3", "line 2: names.file is 3; expected a names CSV"),
    ("[names]\nlang = 3", "line 2: names.lang is 3; expected a language's code"),
    ("[quiet]\nhours = '25:00-01:00'", "line 2: quiet.hours is '25:00-01:00'; expected HH:MM"),
    ("[species]\ninclude = 'Wren'", "line 2: species.include is 'Wren'; expected a list of"),
    ("[species]\nexclude = [3]", "line 2: species.exclude is [3]; expected a list of species"),
    ("[species]\nthreshold = 2", "line 2: species.threshold is 2; expected a number from 0 to 1"),
    ("[species]\nunexpected = 0", "line 2: species.unexpected is 0; expected a number from"),
    ("[species]\nchecklist = 1", "line 2: species.checklist is 1; expected a CSV file"),
    ("[species.thresholds]\nA = 0.5\n\n'B c' = 7", "line 4: species.thresholds.B c is 7; expected"),
    ("[species.snooze]\nWren = 3", "line 2: species.snooze.Wren is 3; expected species, each"),
    ("[journal]\ngapp_s = 3", "line 2: journal.gapp_s is an unknown key; did you mean journ"),
    ("[wach]\n", "line 1: wach is an unknown table; did you mean watch?"),
    ("watch = 1", "line 1: watch is a value; expected the table [watch]"),
    ("[watch]\n[watch]", "not TOML ("),
    ("[watch]\nx = 'a", "not TOML ("),
    ('[watch]\ncamera = "rtsp://me:secret@h/\\u0007"', "camera is 'rtsp://***@h/\\x07'; expected"),
    ('[watch]\ncamera = ["rtsp://me:secret@h/x"]', "camera is ['rtsp://***@h/x']; expected a dev"),
    ("#" * 100_001, "100,001 bytes; expected at most 100,000"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_each_bad_key_is_refused_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    assert_refused(run("watch", "--config", path), 2, f"{path}", words)


def test_every_key_has_a_bad_value_in_that_table() -> None:
    assert not [key for key in KEYS if not any(key in words for _, words in BAD)]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[watch]\nmodel = '\xe4'")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(tmp_path / "latin.toml")
