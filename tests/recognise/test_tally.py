"""Tally: the least score, the summary and the labels of a recording's windows."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run
from fakes import HZ_PER_DEGREE, BluePitch, factory

from birdfield.model.audio_specs import YAMNET
from birdfield.recognise.identify import identify_file
from birdfield.recognise.observation import Observation
from birdfield.recognise.tally import Label, Tally, to_audacity, to_raven, with_least_score

ROBIN = Label("Robin", 0.87654, 0.0, 5.295)
FORMULA = Label("=1+1", 0.5, 4.8, 10.095)


@pytest.fixture
def windows(tmp_path: Path) -> list[Observation]:
    """Windows at 0, 4.8 and 9.12 s of 14 s: two of a robin at 60 degrees, one of a wren at 120."""
    seconds = np.arange(14 * YAMNET.rate_hz) / YAMNET.rate_hz
    degrees = np.where(seconds < 8, 60, 120)
    sound = 0.5 * np.sin(2 * np.pi * degrees * HZ_PER_DEGREE * seconds)
    soundfile.write(tmp_path / "song.wav", sound, YAMNET.rate_hz)
    return list(identify_file(BluePitch(), factory(), tmp_path / "song.wav"))


def test_a_summary_has_a_line_for_each_species(windows: list[Observation]) -> None:
    """At its own angle the cosines are 1, 0.5 and 0.5 or less: 0.9933 or less."""
    tally = Tally()
    assert list(tally.follow(windows)) == windows
    robin, wren, unknown = tally.summary()
    assert robin.startswith("Robin: 2 answers, best 0.99 at ")
    assert wren == "Wren: 1 answer, best 0.99 at 9.1 s" and unknown == "unknown: 0 answers"


def test_an_answer_below_the_least_score_is_unknown(windows: list[Observation]) -> None:
    kept = list(with_least_score(windows, 0.5))
    assert kept == windows
    refused = list(with_least_score(windows, 0.999))
    assert [each.decision.species for each in refused] == [None] * 3
    assert {each.decision.reason for each in refused} == {"below_threshold"}
    assert str(refused[2].decision.figure) == "score 0.99, needs 1.00"
    tally = Tally()
    list(tally.follow(refused))
    assert tally.summary() == ["unknown: 3 answers"]


def test_labels_are_those_that_raven_and_audacity_read() -> None:
    """A species that looks like a formula is text, and a photograph has no time."""
    labels = [ROBIN, Label("Jay", 1.0, None, None), FORMULA]
    assert to_audacity(labels).decode() == (
        "0.000000\t5.295000\tRobin\n4.800000\t10.095000\t'=1+1\n"
    )
    header, *rows = to_raven(labels, 8000).decode().splitlines()
    assert header.split("\t")[3:5] == ["Begin Time (s)", "End Time (s)"]
    assert rows == [
        "1\tSpectrogram 1\t1\t0.000\t5.295\t0\t8000\tRobin\t0.8765",
        "2\tSpectrogram 1\t1\t4.800\t10.095\t0\t8000\t'=1+1\t0.5",
    ]


def test_the_command_writes_them(toy_bundle: Path, tmp_path: Path) -> None:
    """A score cannot reach 1 exactly with several species, so that nothing is known then."""
    golden = Path(__file__).parents[1] / "golden"
    song, shown = golden / "long.ogg", tmp_path / "labels.txt"
    common = ("identify", song, "--model", toy_bundle, "--summary")
    summed = run(*common, "--audacity", shown, "--raven", tmp_path / "raven.txt")
    assert summed.exit_code == 0, summed.output
    assert summed.stdout.splitlines()[-1].startswith("unknown: ")
    known = len(shown.read_text().splitlines())
    assert len((tmp_path / "raven.txt").read_text().splitlines()) == known + 1
    counts = [int(line.split(": ")[1].split()[0]) for line in summed.stdout.splitlines()]
    assert sum(counts) == 3 and sum(counts[:-1]) == known > 0
    none = run(*common, "--min-score", 1.0, "--audacity", shown)
    assert none.stdout == "unknown: 3 answers\n" and shown.read_text() == ""
    two = run("identify", song, song, "--model", toy_bundle, "--raven", tmp_path / "raven.txt")
    assert two.exit_code == 2 and "of one recording; got 2 files" in two.stderr
