"""Errors of the station's commands: one sentence and an exit code each."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run
from recorder_scene import start_recorder

NAMES = "label,scientific,lang,name\nJay,Garrulus glandarius,de,Eichelhäher\n"
TABLE = [
    # Devices and files.
    (
        "watch --model MODEL --camera GONE.mp4 --microphone none",
        1,
        "GONE.mp4: no such video file; expected a file, a device's number such as 0, a URL or none",
    ),
    (
        "watch --model MODEL --camera TEXT --microphone none",
        1,
        "TEXT: not a video that can be decoded; expected MP4, AVI or MKV",
    ),
    ("watch --model MODEL --camera none --microphone GONE.wav", 1, "GONE.wav: cannot be read"),
    (
        "watch --model MODEL --camera none --microphone none",
        2,
        "there is neither a camera nor a microphone; name one of them",
    ),
    (
        "watch --model MODEL --camera 0 --microphone none --fast",
        2,
        "a live camera or microphone cannot be watched faster than time passes",
    ),
    # Models.
    (
        "watch --model GONE --camera none --microphone none",
        1,
        "GONE: no such model; expected a folder NAME.birdfield, an exported model",
    ),
    (
        "watch --model FOLDER --camera none --microphone none",
        1,
        "FOLDER/manifest.json: cannot be read (No such file or directory); "
        "expected an exported model",
    ),
    (
        "watch --model DAMAGED --camera none --microphone none",
        1,
        "DAMAGED/image.tflite: damaged: SHA-256 is",
    ),
    # Paths and permissions.
    (
        "identify TEXT --model MODEL --csv GONE/x.csv",
        1,
        "GONE/x.csv: cannot be written (No such file or directory)",
    ),
    (
        "evaluate MODEL FOLDER FOLDER --json GONE/x.json",
        1,
        "GONE/x.json: cannot be written (No such file or directory)",
    ),
    ("bench MODEL --json FOLDER", 1, "FOLDER: cannot be written (Is a directory)"),
    ("visits GONE", 1, "GONE: no journal here; expected a folder that a watch"),
    ("visits JOURNAL --csv GONE/x.csv", 1, "GONE/x.csv: cannot be written (No such file or dir"),
    (
        "identify TEXT --model MODEL --csv -",
        2,
        "this command cannot write to -; expected a file name",
    ),
    ("visits JOURNAL --csv -", 2, "this command cannot write to -; expected a file name"),
    ("export-visits JOURNAL -o -", 2, "this command cannot write to -; expected a file name"),
    ("visits JOURNAL --last 99999999999999999999", 2, None),
    (
        "visits JOURNAL --events --species Jay",
        2,
        "events have no species; leave out --species or --events",
    ),
    ("export-visits JOURNAL -o x.csv --session 99999999999999999999", 2, None),
    ("watch --camera none --microphone none --journal JOURNAL --keep-days 999999", 2, None),
    ("watch --camera none --microphone none --journal JOURNAL --keep-gb 1,500", 2, None),
    ("watch --camera none --microphone none --journal JOURNAL --keep-gb inf", 2, None),
    ("watch --camera none --microphone none --journal JOURNAL --keep-best 9999999999", 2, None),
    ("visits JOURNAL --lang de --names GONE", 1, "GONE: cannot be read (No such file or dir"),
    (
        "visits JOURNAL --lang de --names TEXT",
        1,
        "TEXT: no column label, lang, name, scientific; expected label,scientific,lang,name",
    ),
    (
        "visits JOURNAL --lang fr --names NAMES",
        2,
        "no species has a name in the language 'fr'; expected one of de",
    ),
    ("config init TEXT", 1, "TEXT exists already; choose another name or add --force"),
    ("config init TEXT/b.toml", 1, "TEXT: cannot be written (File exists)"),
    ("config init /proc/b.toml", 1, "/proc/b.toml: cannot be written (No such file or directory)"),
    ("config check GONE", 2, "GONE: no such file; birdfield config init writes one"),
    ("config show TEXT", 2, "TEXT: not TOML ("),
    ("watch --config FOLDER", 2, "FOLDER: no such file; birdfield config init writes one"),
    ("doctor --camera none --microphone none --model MODEL --log x", 2, None),
    ("service install --config GONE --user daemon --dry-run", 2, "GONE: no such file; birdfield"),
    ("--log loud devices", 2, "--log is 'loud'; expected one of plain, systemd, json"),
]


@pytest.mark.parametrize(("arguments", "exit_code", "sentence"), TABLE)
def test_each_error_has_a_sentence_and_an_exit_code(
    arguments: str,
    exit_code: int,
    sentence: str | None,
    fake: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    places = {
        name: tmp_path / name
        for name in (
            "GONE",
            "GONE.mp4",
            "GONE.wav",
            "FOLDER",
            "TEXT",
            "NAMES",
            "JOURNAL",
            "DAMAGED",
        )
    }
    places["MODEL"] = fake
    places["FOLDER"].mkdir()
    places["TEXT"].write_text("plain text\n")
    places["NAMES"].write_text(NAMES, encoding="utf-8")
    if "JOURNAL" in arguments:
        start_recorder(places["JOURNAL"]).close()
    if "DAMAGED" in arguments:
        fake.rename(places["DAMAGED"])
        (places["DAMAGED"] / "image.tflite").write_bytes(b"other")

    def placed(word: str) -> str:
        first, slash, rest = word.partition("/")
        return f"{places[first]}{slash}{rest}" if first in places else word

    result = run(*map(placed, arguments.split()))
    if sentence is None:  # a message of Typer
        assert result.exit_code == exit_code and "Traceback" not in result.stderr
        return
    first = sentence.partition(":")[0].partition(" ")[0]
    assert_refused(result, exit_code, f"birdfield: {sentence.replace(first, placed(first), 1)}")


def test_watch_refuses_a_journal_that_others_can_write(toy_bundle: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    journal = tmp_path / "journal"
    journal.mkdir()
    journal.chmod(0o777)
    assert os.stat(journal).st_mode & 0o002
    result = run(
        "watch",
        "--model",
        toy_bundle,
        "--camera",
        "none",
        "--microphone",
        tmp_path / "a.wav",
        "--fast",
        "--journal",
        journal,
    )
    assert result.exit_code == 1 and "other users may write to it" in result.stderr
    assert f"chmod 700 {journal}" in result.stderr and "Traceback" not in result.stderr


def test_a_configuration_without_the_right_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text("")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)  # root can read everything
    try:
        assert_refused(
            run("config", "show", path),
            2,
            f"{path}: cannot be read (Permission "
            "denied); give the station's user the right to read it",
        )
    finally:
        os.seteuid(user)
