"""A species and its names, in the one form that folders, manifests and stores share."""

import csv
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from birdfield.errors import InputError

MAX_NAME = 200  # characters
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # turn text about


@dataclass(frozen=True)
class Species:
    """A species: its label (what answers say), scientific name, and names by language code."""

    label: str
    scientific: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the form that manifests and stores hold."""
        entry: dict[str, Any] = {"label": self.label, "names": dict(self.names)}
        if self.scientific:
            entry["scientific"] = self.scientific
        return entry

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Species":
        """Read such an entry; raises KeyError, TypeError, AttributeError or InputError."""
        names = {str(lang): clean_name(name) for lang, name in entry.get("names", {}).items()}
        scientific = entry.get("scientific")
        return cls(
            clean_name(entry["label"]), clean_name(scientific) if scientific else None, names
        )


def clean_name(name: str) -> str:
    """Bring a species' name to its one form: `_` is a space, Unicode is NFC, blanks are single.

    Raises:
        InputError: When nothing is left, it is too long, or holds a control character.
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
            f"species name {name[:40]!r} holds a control character; expected printable text"
        )
    return cleaned


def fold(name: str) -> str:
    """Return what names that differ in case or Unicode form only have in common."""
    return unicodedata.normalize("NFKC", clean_name(name)).casefold()


def read_names(path: Path) -> dict[str, Species]:
    """Read a names CSV with the columns label, scientific, lang, name.

    Returns:
        Species by their folded label; it may stand on several lines, one a language.

    Raises:
        InputError: When the file cannot be read or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"label", "scientific", "lang", "name"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(
                    f"{path}: no column {', '.join(sorted(missing))}; "
                    "expected label,scientific,lang,name"
                )
            return _merge_names(reader, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a UTF-8 CSV file ({error})") from error


def is_blank(row: Mapping[str, Any]) -> bool:
    """Tell whether no cell of a CSV's row says anything: a spreadsheet leaves such rows."""
    return not any(cell and "".join(cell).strip() for cell in row.values())


def _merge_names(reader: "csv.DictReader[str]", path: Path) -> dict[str, Species]:
    merged: dict[str, Species] = {}
    for row in reader:
        if is_blank(row):
            continue
        try:
            _merge_row(merged, row)
        except InputError as error:
            raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    return merged


def _merge_row(merged: dict[str, Species], row: Mapping[str, str | None]) -> None:
    label = clean_name(row["label"] or "")
    known = merged.get(fold(label), Species(label))
    scientific = known.scientific
    if not scientific and row["scientific"]:
        scientific = clean_name(row["scientific"])
    names = dict(known.names)
    if row["lang"] and row["name"]:
        names[row["lang"].strip()] = clean_name(row["name"])
    merged[fold(label)] = replace(known, scientific=scientific, names=names)
