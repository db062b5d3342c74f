"""Terminal: `birdfield watch` on a real pseudo-terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from sound_servers import PulseAudio

from birdfield.view.terminal import can_show
from birdfield_train.toy_aviary import write_scene

PROGRAM = Path(sys.executable).with_name("birdfield")
TIMEOUT_S = 120
ALTERNATE_SCREEN, MAIN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@dataclass
class Terminal:
    """A pseudo-terminal of 80 columns and 24 lines."""

    master: int
    slave: int
    output: str = ""

    def start(
        self, *arguments: object, term: str = "xterm-256color", env: Mapping[str, str] = os.environ
    ) -> subprocess.Popen[bytes]:
        """Run birdfield as its foreground process."""
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env={**env, "TERM": term},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def read(self, process: subprocess.Popen[bytes], until: str | None = None) -> None:
        """Read the output until it has a text, or until the process has ended."""
        end_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end_s:
            ended = process.poll() is not None
            ready, _, _ = select.select([self.master], [], [], 0 if ended else 0.1)
            if ready:
                self.output += os.read(self.master, 65_536).decode(errors="replace")
            elif ended:
                return
            if until and until in self.output:
                return
        raise AssertionError(f"no {until!r} in the output: {self.output[-2000:]!r}")

    def attributes(self) -> list[object]:
        return termios.tcgetattr(self.slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    yield Terminal(master, slave)
    os.close(master)
    os.close(slave)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Return the arguments for a scene of three visits."""
    folder = tmp_path_factory.mktemp("scene")
    write_scene(folder, seed=7, visits=1)
    return ["--camera", folder / "scene.avi", "--microphone", folder / "scene.wav"]


@pytest.fixture(scope="module")
def song(scene: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 8 s of the sound of the scene, from the first bird that is heard."""
    recording = Path(str(scene[-1]))
    visits = json.loads(recording.with_suffix(".json").read_text())["visits"]
    start_s = next(visit["start_s"] for visit in visits if "audio" in visit["senses"])
    rate_hz = soundfile.info(recording).samplerate
    sound, _ = soundfile.read(recording, frames=8 * rate_hz, start=round(start_s * rate_hz))
    path = tmp_path_factory.mktemp("song") / "bird.wav"
    soundfile.write(path, sound, rate_hz)
    return path


@pytest.mark.slow
def test_ctrl_c_restores_the_terminal(
    terminal: Terminal, toy_bundle: Path, scene: list[object]
) -> None:
    before = terminal.attributes()
    process = terminal.start("watch", "--model", toy_bundle, *scene)
    terminal.read(process, "Ctrl-C ends")
    assert ALTERNATE_SCREEN in terminal.output and MAIN_SCREEN not in terminal.output
    os.write(terminal.master, b"\x03")
    terminal.read(process)
    assert process.returncode == 0
    assert terminal.attributes() == before
    assert terminal.output.count(ALTERNATE_SCREEN) == terminal.output.count(MAIN_SCREEN) == 1
    assert terminal.output.rindex(SHOW_CURSOR) > terminal.output.rindex(HIDE_CURSOR)
    after = terminal.output.split(MAIN_SCREEN)[1]
    assert re.search(r"\d+ windows, \d+ answers; \d+ quiet, 0 dropped, 0 throttled", after)
    assert "Traceback" not in terminal.output


@pytest.mark.slow
def test_ctrl_z_restores_the_terminal_until_fg(
    terminal: Terminal, toy_bundle: Path, scene: list[object]
) -> None:
    process = terminal.start("watch", "--model", toy_bundle, *scene)
    terminal.read(process, "Ctrl-C ends")
    os.write(terminal.master, b"\x1a")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    terminal.read(process, MAIN_SCREEN)
    assert terminal.output.rindex(SHOW_CURSOR) > terminal.output.rindex(HIDE_CURSOR)
    terminal.output = ""
    process.send_signal(signal.SIGCONT)
    terminal.read(process, "Ctrl-C ends")
    assert ALTERNATE_SCREEN in terminal.output
    os.write(terminal.master, b"\x03")
    terminal.read(process)
    assert process.returncode == 0 and terminal.output.count(MAIN_SCREEN) == 1


@pytest.mark.slow
@pytest.mark.parametrize("configured", [False, True])
def test_a_closed_terminal_ends_the_watch_in_order(
    toy_bundle: Path, scene: list[object], tmp_path: Path, configured: bool
) -> None:
    """After a lost connection the watch stops, and writes its visits first."""
    master, slave = pty.openpty()
    config, journal = tmp_path / "birdfield.toml", tmp_path / "garden"
    config.write_text("")
    process = Terminal(master, slave).start(
        "watch",
        "--model",
        toy_bundle,
        *scene,
        "--journal",
        journal,
        *(["--config", config] if configured else []),
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "none")},
    )
    os.close(slave)
    output, end_s = "", time.monotonic() + TIMEOUT_S
    while "windows 2," not in output and time.monotonic() < end_s:
        output += os.read(master, 65_536).decode(errors="replace")
    os.close(master)
    process.wait(TIMEOUT_S)
    visits = subprocess.run(
        [PROGRAM, "visits", journal, "--events"], capture_output=True, text=True
    )
    assert "stopped: " in visits.stdout


@pytest.mark.slow
def test_the_view_counts_the_visits_of_a_scene(
    terminal: Terminal, toy_bundle: Path, scene: list[object], tmp_path: Path
) -> None:
    process = terminal.start(
        "watch",
        "--model",
        toy_bundle,
        *scene,
        "--fast",
        "--gap",
        4,
        "--journal",
        tmp_path / "garden",
    )
    terminal.read(process)
    assert process.returncode == 0
    shown, after = terminal.output.split(MAIN_SCREEN)
    counts = [int(count) for count in re.findall(r"Today: (\d+) visits?, \d+ species", shown)]
    assert counts and counts == sorted(counts) and counts[-1] <= 3, (
        "the count grows when birds leave"
    )
    assert "level" in shown
    assert after.count("visit: ") == 3, "the log is printed afterwards"


@pytest.mark.parametrize(("arguments", "term"), [(["--json"], "xterm-256color"), ([], "dumb")])
def test_json_or_a_dumb_terminal_gets_lines(
    terminal: Terminal, toy_bundle: Path, song: Path, arguments: list[object], term: str
) -> None:
    process = terminal.start(
        "watch",
        "--model",
        toy_bundle,
        "--camera",
        "none",
        "--microphone",
        song,
        "--fast",
        *arguments,
        term=term,
    )
    terminal.read(process)
    assert process.returncode == 0 and "\x1b" not in terminal.output
    assert ('{"time": "' if arguments else "bird.wav  ") in terminal.output


@pytest.mark.slow
@pytest.mark.devices
def test_the_meter_shows_a_live_microphone(terminal: Terminal, toy_bundle: Path) -> None:
    """A tone of amplitude 0.3 peaks at 20 lg 0.3 = -10.5 dB."""
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        sound = PulseAudio(Path(folder))
        with sound.running(), sound.playing_tone():
            process = terminal.start(
                "watch", "--model", toy_bundle, "--camera", "none", env=sound.env
            )
            terminal.read(process, "peak -10 dB")
            os.write(terminal.master, b"\x03")
            terminal.read(process)
    assert process.returncode == 0


def test_a_file_or_another_encoding_gets_lines(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for encoding, shown in (("utf-8", True), ("latin-1", False)):
        with open(os.dup(terminal.slave), "w", encoding=encoding) as stream:
            assert can_show(stream) == shown
    with (tmp_path / "out.txt").open("w", encoding="utf-8") as stream:
        assert not can_show(stream)
