"""The checklist: its file and its weeks."""

from pathlib import Path

import pytest

from birdfield.errors import InputError
from birdfield.settings.checklist import ALL_YEAR, parse_weeks, read_checklist


@pytest.mark.parametrize(
    ("text", "weeks"),
    [("", ALL_YEAR), ("14-16", {14, 15, 16}), ("52-2", {52, 53, 1, 2}), ("3; 5-6 8", {3, 5, 6, 8})],
)
def test_parse_weeks(text: str, weeks: set[int]) -> None:
    assert parse_weeks(text, "x") == weeks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "species,weeks\nWren,14-60\n",
            "line 2: weeks are '14-60'; expected such as 14-40 or 45-8",
        ),
        ("species,weeks\nWren,\n,3\n", "line 3: species name '' has 0 characters"),
        ("species,weeks\n,\n", "has no species; expected a row for each expected species"),
        ("name\nWren\n", "no column species, weeks; expected species,weeks"),
        ("species;weeks\nWren;3;5\n", "line 2: 3 cells separated by semicolons; expected 2"),
    ],
)
def test_a_checklist_is_checked(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError) as refused:
        read_checklist(path)
    assert words in str(refused.value)
