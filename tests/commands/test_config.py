"""The commands that read or write the configuration file."""

import json
from pathlib import Path

import pytest
import soundfile
from command_line import assert_refused, lines_of, run

from birdfield.bench.stages import sound
from birdfield.commands.config import UNSET
from birdfield.settings.configuration import config_home
from birdfield.settings.schema import DEFAULTS, KEYS, value_of


def write(folder: Path, text: str) -> Path:
    path = folder / "birdfield.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_init_writes_a_private_file_once(tmp_path: Path) -> None:
    path = tmp_path / "config" / "birdfield.toml"
    assert run("config", "init", path).stdout == f"{path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert_refused(run("config", "init", path), 1, "exists already")
    path.write_text("")
    assert run("config", "init", path, "--force").exit_code == 0 and path.read_text()


def test_show_prints_the_origin_of_each_value_and_hides_passwords(tmp_path: Path) -> None:
    path = write(tmp_path, '[watch]\ncamera = "rtsp://me:secret@h/x"\n[species]\nexclude=["Ü"]')
    text = run("config", "show", path).stdout
    assert 'camera = "rtsp://***@h/x"  # line 2' in text and "secret" not in text
    assert 'exclude = ["Ü"]  # line 4' in text and 'microphone = "default"  # default' in text
    assert "# folder: none, visits are not recorded  # default" in text


def test_show_prints_the_values_of_defaults(tmp_path: Path) -> None:
    """As the template says: 30 s, 10 visits, 0.5 GB, 0.1; each other key says what holds."""
    text = run("config", "show", write(tmp_path, "")).stdout
    for line in (
        "gap_s = 30  # default",
        "keep_voices = false  # default",
        "keep_best = 10  # default",
        "keep_free_gb = 0.5  # default",
        "unexpected = 0.1  # default",
        "include = []  # default",
        "thresholds = {}  # default",
        "# keep_days: no limit  # default",
        "# model: that of BIRDFIELD_MODEL, else the starter model  # default",
    ):
        assert f"\n{line}\n" in text
    assert "..." not in text and text.count("# default") == len(KEYS)
    unset = {name for name in KEYS if value_of(DEFAULTS, name) is None}
    assert unset == UNSET.keys()


def test_check_reads_the_files_that_a_configuration_refers_to(fake: Path, tmp_path: Path) -> None:
    """Wern, which the model does not know, is near Wren, which it knows."""
    head = f'[watch]\nmodel = "{fake}"\n'
    path = write(tmp_path, head + '[species]\nexclude = ["wren", "JAY"]')
    assert run("config", "check", path).stdout.startswith(f"{path}: no errors; model ")
    for text, exit_code, words in (
        (
            '[species]\nexclude = ["Wern"]',
            2,
            ["line 4: species.exclude names 'Wern'", "did you mean Wren?"],
        ),
        ('[species]\nchecklist = "gone.csv"', 1, ["gone.csv: cannot be read"]),
        ('[quiet]\nhours = "night"', 2, ["line 4: quiet.hours", "set place.location"]),
        ('[names]\nlang = "xx"', 2, ["no species has a name in the language 'xx'"]),
        ('[names]\nfile = "gone.csv"', 1, ["gone.csv: cannot be read"]),
    ):
        if "night" in text:
            text += '\n[journal]\nfolder = "j"'
        assert_refused(run("config", "check", write(tmp_path, head + text)), exit_code, *words)
    assert_refused(run("config", "check"), 2, "no such file; birdfield config init")


@pytest.mark.parametrize(("exclude", "state"), [("wren", "ok"), ("Wern", "fail")])
def test_doctor_checks_the_species_that_a_file_names(
    exclude: str,
    state: str,
    fake: Path,
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        f'[watch]\nmodel = "{fake}"\ncamera = "none"\nmicrophone = "none"\n'
        f'[species]\nexclude = ["{exclude}"]',
    )
    lines = run("doctor", "--config", path, "--json").stdout.splitlines()
    found = {row["name"]: row for row in map(json.loads, lines)}
    assert found["species"]["state"] == state


@pytest.mark.parametrize("source", ["camera", "microphone"])
def test_a_password_that_other_users_can_read_is_refused(
    source: str,
    fake: Path,
    tmp_path: Path,
) -> None:
    path = write(tmp_path, f'[watch]\nmodel = "{fake}"\n{source} = "rtsp://me:secret@h/x"')
    path.chmod(0o644)
    assert_refused(run("config", "check", path), 2, f"chmod 600 {path}")
    path.chmod(0o600)
    assert run("config", "check", path).exit_code == 0


def test_watch_follows_its_file_and_flags_override_it(toy_bundle: Path, tmp_path: Path) -> None:
    """Six seconds of song make a window; --journal replaces the journal of the file."""
    soundfile.write(tmp_path / "song.wav", sound(16_000, 6.0), 16_000)
    path = write(
        tmp_path,
        f'''
[watch]
model = "{toy_bundle}"
camera = "none"
microphone = "{tmp_path / "song.wav"}"
[journal]
folder = "own"
keep_best = 3
[species]
threshold = 1.0
''',
    )
    first = lines_of(run("watch", "--config", path, "--fast", "--json"))
    assert first and all(each["unknown"] for each in first) and (tmp_path / "own").is_dir()
    (tmp_path / "own").rename(tmp_path / "moved")
    lines_of(run("watch", "--config", path, "--fast", "--json", "--journal", tmp_path / "other"))
    assert (tmp_path / "other").is_dir() and not (tmp_path / "own").exists()
    home = config_home()
    home.mkdir(parents=True)
    (home / "birdfield.toml").write_text("[watch]\ncamera = 0")
    assert_refused(run("watch"), 2, f"{home / 'birdfield.toml'}, line 2: watch.camera is 0")
