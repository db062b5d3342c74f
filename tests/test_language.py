"""Tests of the language: the code uses none of the words that the glossary replaced."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("birdfield", "train/birdfield_train", "export/birdfield_export")
FILES = sorted(
    str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
)
# Words of prose and of names: `left_behind` and `LeftBehind` are both read as "left behind".
RETIRED = (
    "beat",
    "beats",
    "birdless",
    "complain",
    "complains",
    "complained",
    "complaint",
    "complaints",
    "heart",
    "hearts",
    "idle windows",
    "is no bird",
    "keepsake",
    "keepsakes",
    "knownness",
    "left behind",
    "nobody",
    "of no bird",
    "reaching",
    "rested",
    "resting",
    "seen alone",
    "skipped windows",
    "steadied",
    "stranger",
    "strangers",
    "tells",
    "told",
    "what no bird",
)
# Whole names that said too little.
RETIRED_NAMES = (
    "ABOUT",
    "Choice",
    "ENOUGH",
    "FAINT",
    "Keepsakes",
    "NOBODY",
    "NOTHING",
    "POSSIBLE",
    "Part",
    "Presence",
    "Rest",
    "Stretches",
    "Turn",
    "is_damage",
    "no_bird",
    "renew",
    "some_of",
)
# Kinds of event in a journal, which stay.
KEPT = ('"windows skipped"', '"windows rested"')
# Evidence is the picture and the sound of a visit: these packages know no visit.
WITHOUT_VISITS = ("train/", "export/") + tuple(
    f"birdfield/{name}/"
    for name in ("bench", "capture", "evaluate", "model", "recognise", "signals")
)


def names(tree: ast.AST) -> Iterator[str]:
    """Yield every name of a module: of functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg", "asname"):
            if isinstance(value := getattr(node, field, None), str):
                yield value


def prose(text: str) -> Iterator[str]:
    """Yield every comment, and every string with a space: a docstring, a message, a help text.

    A string without a space may be a key of JSON, of SQLite or of a manifest, which stays.
    """
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (
            token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1))
            and " " in token.string.strip("\"'")
            and not token.string.startswith("b")
            and token.string not in KEPT
        ):
            yield token.string


def words(text: str) -> str:
    """Return a text or a name as lower-case words, each between two spaces."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return f" {' '.join(re.findall(r'[a-z0-9-]+', parts.lower().replace('_', ' ')))} "


@cache
def read(text: str) -> tuple[set[str], str]:
    """Return the names of a module, and all its names and prose as words."""
    used = set(names(ast.parse(text)))
    return used, "|".join(map(words, (*used, *prose(text))))


def retired_in(text: str) -> set[str]:
    """Return the retired words and names in the source of a module."""
    used, said = read(text)
    return {word for word in RETIRED if f" {word} " in said} | used.intersection(RETIRED_NAMES)


@pytest.mark.parametrize("file", FILES)
def test_a_module_uses_no_retired_word(file: str) -> None:
    assert not retired_in((ROOT / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(WITHOUT_VISITS)])
def test_only_visits_have_evidence(file: str) -> None:
    assert " evidence " not in read((ROOT / file).read_text(encoding="utf-8"))[1]


def test_retired_words_are_found_in_names_comments_and_messages_but_not_in_keys() -> None:
    """Four of the five places; the key "rested" has no space, and `no-bird` is an option."""
    code = """
def left_behind(found):  # by strangers
    '''What was told.'''
    print("nobody", "Nobody came", found["rested"], "--no-bird")
"""
    assert retired_in(code) == {"left behind", "strangers", "told", "nobody"}
