"""Tests of how `make arm64-season` reads the guide; the season needs an emulator and root."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = """# x
## A season in the garden
Words.
```
sudo apt update              # then log out and in again
birdfield config init        # then put into FILE, in
                             #   [watch]    model = "~/m.birdfield"
birdfield status             # watching
```
"""


@pytest.fixture
def season(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "arm64"))
    return importlib.import_module("season")


def test_the_block_is_read_unchanged(season: ModuleType) -> None:
    lines = season.steps(GUIDE)
    assert list(season.logins(lines)) == [
        ["sudo apt update"],
        ["birdfield config init", "birdfield status"],
    ]
    assert season.edits(lines) == [("watch", "model", '"~/m.birdfield"')]
    with pytest.raises(SystemExit, match="no block below"):
        season.steps("# x")


def test_the_guide_names_keys_of_the_configuration(season: ModuleType) -> None:
    """Model and journal, which are keys of the file that `config init` writes."""
    lines = season.steps((ROOT / "docs" / "guide" / "station.md").read_text())
    template = (ROOT / "birdfield" / "settings" / "birdfield.toml").read_text().splitlines()
    assert [(table, key) for table, key, _ in season.edits(lines)] == [
        ("watch", "model"),
        ("journal", "folder"),
    ]
    for _, key, _ in season.edits(lines):
        assert any(line.startswith(f"#{key} = ") for line in template)
    assert len(list(season.logins(lines))) == 2


@pytest.mark.parametrize(
    ("command", "code", "output", "passes"),
    [
        ("birdfield doctor", 1, "ok    model: m\nfail  speed: slow; wait", True),
        ("birdfield doctor", 1, "fail  camera: gone; plug it in", False),
        ("birdfield visits ~/garden", 1, "no journal", True),
        ("birdfield config check", 2, "no", False),
        ("birdfield config check", 0, "", True),
    ],
)
def test_a_step_that_fails_ends_the_season(
    command: str, code: int, output: str, passes: bool, season: ModuleType
) -> None:
    """Only the speed, which an emulator lacks, and steps for later may fail."""
    if passes:
        season.check_step(command, code, output)
    else:
        with pytest.raises(SystemExit, match=f"ended with exit code {code}"):
            season.check_step(command, code, output)
