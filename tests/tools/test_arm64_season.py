"""What `make arm64-season` reads in the README; the season itself takes an emulator and root."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
README = """# x
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


def test_the_block_is_followed_as_it_stands(season: ModuleType) -> None:
    lines = season.steps(README)
    assert list(season.logins(lines)) == [
        ["sudo apt update"],
        ["birdfield config init", "birdfield status"],
    ]
    assert season.edits(lines) == [("watch", "model", '"~/m.birdfield"')]
    with pytest.raises(SystemExit, match="no block below"):
        season.steps("# x")


def test_the_readme_says_what_goes_into_the_configuration(season: ModuleType) -> None:
    """Model and journal, by keys of the file that `config init` writes."""
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
    ("command", "code", "said", "right"),
    [
        ("birdfield doctor", 1, "ok    model: m\nfail  speed: slow; wait", True),
        ("birdfield doctor", 1, "fail  camera: gone; plug it in", False),
        ("birdfield visits ~/garden", 1, "no journal", True),
        ("birdfield config check", 2, "no", False),
        ("birdfield config check", 0, "", True),
    ],
)
def test_a_step_that_fails_ends_the_season(
    command: str, code: int, said: str, right: bool, season: ModuleType
) -> None:
    """An emulator is slow, and the two last steps are for later: all else must end with 0."""
    if right:
        season.judge(command, code, said)
    else:
        with pytest.raises(SystemExit, match=f"ended with exit code {code}"):
            season.judge(command, code, said)
