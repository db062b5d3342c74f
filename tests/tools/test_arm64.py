"""Tests of `make arm64`: its errors, and its comparison of two machines.

`make arm64` itself creates the roots, which takes minutes and needs root.
"""

import copy
import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools" / "arm64"
VECTOR, AT_3_DEG = [1.0, 0.0], [0.998630, 0.052336]  # cos(3 deg) = 0.99863, under 0.999


@pytest.fixture
def arm64(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("check")


def make_answers(arm64: ModuleType) -> Any:
    rows = [
        {"of": "a.jpg", "tower": tower, "vector": VECTOR} for tower in ("image", "audio", "fusion")
    ]
    decision = {
        "species": "Ashen Tufter",
        "unknown": False,
        "senses": ["image"],
        "agreement": None,
        "start_s": None,
        "score": 0.9,
    }
    return arm64.Answers(
        {"machine": "aarch64", "python": "3.11.2", "runtime": "r 1", "numpy": "2", "rows": rows},
        [decision],
        1.0,
    )


def test_without_tools_or_root_the_error_is_one_sentence_with_the_next_step() -> None:
    done = subprocess.run(
        [sys.executable, TOOLS / "roots.py"],
        check=False,
        text=True,
        capture_output=True,
        env={**os.environ, "PATH": "/nowhere"},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("make arm64: ")
    assert any(
        step in done.stderr
        for step in ("apt-get install debootstrap", "sudo make arm64", "run it on Linux on x86-64")
    )
    assert done.stderr.count("\n") == 1


def test_equal_answers_agree(arm64: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert arm64.compare("toy", make_answers(arm64), make_answers(arm64))
    output = capsys.readouterr().out
    assert "image 1.000000, 1.000000 of 1" in output
    assert "1 of 1 decisions the same, scores within 0.0000" in output


def test_an_embedding_rotated_by_3_degrees_does_not_agree(
    arm64: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    there = copy.deepcopy(make_answers(arm64))
    there.embeddings["rows"][1]["vector"] = AT_3_DEG
    assert not arm64.compare("toy", make_answers(arm64), there)
    assert "audio 0.998630, 0.998630 of 1" in capsys.readouterr().out


def test_a_different_decision_does_not_agree(
    arm64: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    there = copy.deepcopy(make_answers(arm64))
    there.decisions[0].update(unknown=True, score=0.4)
    assert not arm64.compare("toy", make_answers(arm64), there)
    assert "0 of 1 decisions the same, scores within 0.5000" in capsys.readouterr().out
