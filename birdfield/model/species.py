"""Species: a label with its names, in the form that folders, manifests and stores share."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NotRequired, TypedDict

from birdfield.errors import InputError
from birdfield.model.csv_table import read_rows
from birdfield.model.json_fields import JsonFields

MAX_NAME = 200  # characters
# Characters that change the direction of text; a name with one could disguise another.
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
COLUMNS = ("label", "scientific", "lang", "name")  # of a names CSV
ACCENTS = ("\u0300", "\u036f")  # combining marks of Latin, Greek and Cyrillic; not of kana
# Letters with a stroke and ligatures, which Unicode does not decompose.
PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
APOSTROPHES_AND_STOPS = frozenset("'`‘’‛′´ʹʻʼʽ＇.−")  # and the minus sign, which is no dash
SEPARATORS = frozenset({"Zs", "Pd", "Cf"})  # categories: blanks, dashes, and invisible characters
BRITISH_AND_AMERICAN = (
    ("grey", "gray"),
    ("colour", "color"),
    ("moustach", "mustach"),
    ("sulphur", "sulfur"),
)


class SpeciesEntry(TypedDict):
    """JSON form of a species."""

    label: str
    names: dict[str, str]
    scientific: NotRequired[str]


@dataclass(frozen=True)
class Species:
    """A species.

    Attributes:
        label: The name that answers use.
        scientific: The scientific name, if known.
        names: Names by language code, such as "de" or "pt-BR".
    """

    label: str
    scientific: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> SpeciesEntry:
        """Return the form that galleries and stores hold."""
        entry = SpeciesEntry(label=self.label, names=dict(self.names))
        if self.scientific:
            entry["scientific"] = self.scientific
        return entry

    @classmethod
    def from_json(cls, value: object) -> "Species":
        """Read such an entry; raises ValueError or InputError when it is malformed."""
        fields = JsonFields(value, "species")
        names = fields.text_by_name("names") if "names" in fields.document else {}
        scientific = fields.optional_text("scientific")
        return cls(
            clean_name(fields.text("label")),
            clean_name(scientific) if scientific else None,
            {lang: clean_name(name) for lang, name in names.items()},
        )


def clean_name(name: str) -> str:
    """Normalise the name of a species: `_` becomes a space, blanks single, Unicode NFC.

    Raises:
        InputError: When it is empty, too long, or has a control character.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name.replace("_", " ")).split())
    if not cleaned or len(cleaned) > MAX_NAME:
        raise InputError(
            f"species name {name[:40]!r} has {len(cleaned)} characters; expected 1 to {MAX_NAME}"
        )
    if any(
        unicodedata.category(character) in ("Cc", "Cs") or character in BIDI
        for character in cleaned
    ):
        raise InputError(
            f"species name {name[:40]!r} has a control character; expected printable text"
        )
    return cleaned


@lru_cache(maxsize=50_000)
def fold(name: str) -> str:
    """Return the form of a name that all its spellings share.

    Two spellings are one name if they differ in case, blanks, hyphens, apostrophes, full stops,
    accents, Unicode form, or British and American spelling: "Henslow's Sparrow" is "henslows
    sparrow", and "Grey-headed Gull" is "Gray headed Gull".

    Raises:
        InputError: If the name is not usable, as `clean_name` raises it.
    """
    whole = unicodedata.normalize("NFKD", clean_name(name)).casefold()
    letters = "".join(each for each in unicodedata.normalize("NFKD", whole) if _counts(each))
    folded = unicodedata.normalize("NFKC", letters.translate(PLAIN_LETTERS))
    for british, american in BRITISH_AND_AMERICAN:
        folded = folded.replace(british, american)
    return folded or whole  # a name of hyphens alone keeps them


def is_same_name(one: str, other: str) -> bool:
    """Return whether two texts are spellings of one name."""
    try:
        return one == other or fold(one) == fold(other)
    except InputError:  # a label in a damaged row of a journal
        return False


def _counts(character: str) -> bool:
    """Return whether a character distinguishes names."""
    return not (
        character in APOSTROPHES_AND_STOPS
        or ACCENTS[0] <= character <= ACCENTS[1]
        or unicodedata.category(character) in SEPARATORS
    )


def read_names(path: Path) -> dict[str, Species]:
    """Read a CSV file of names with the columns label, scientific, lang, name.

    Returns:
        Species by their folded label. A species may have several lines, one for each language.

    Raises:
        InputError: When the file cannot be read, lacks a column, or has a name that is not usable.
    """
    merged: dict[str, Species] = {}
    for row in read_rows(path, COLUMNS):
        try:
            _merge_row(merged, *row.cells)
        except InputError as error:
            raise InputError(f"{row.where}: {error}") from error
    return merged


def _merge_row(
    merged: dict[str, Species], label: str, scientific: str, lang: str, name: str
) -> None:
    """Add a row of a names CSV."""
    label = clean_name(label)
    known = merged.get(fold(label), Species(label))
    names = {**known.names, lang: clean_name(name)} if lang and name else known.names
    found = known.scientific or (clean_name(scientific) if scientific else None)
    merged[fold(label)] = replace(known, scientific=found, names=names)
