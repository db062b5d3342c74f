import unicodedata
from pathlib import Path

import pytest

from birdfield.errors import InputError
from birdfield.model.names import merge_names
from birdfield.model.species import MAX_NAME, Species, clean_name, fold, read_names
from birdfield.recognise.dataset import scan_dataset

NAMES = """label,scientific,lang,name
Eurasian_Jay,Garrulus glandarius,de,Eichelhäher
Eurasian Jay,,fr,Geai des chênes
Wren,,,
"""


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("Eurasian_Jay", "Eurasian Jay"),
        ("  Eurasian   Jay ", "Eurasian Jay"),
        ("_Jay__", "Jay"),
        ("Grasmücke", "Grasmücke"),
        (unicodedata.normalize("NFD", "Grasmücke"), "Grasmücke"),
        ("鳥", "鳥"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
        ("Anna's Hummingbird", "Anna's Hummingbird"),
    ],
)
def test_a_name_is_normalised(given: str, cleaned: str) -> None:
    assert clean_name(given) == cleaned == clean_name(cleaned)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "has 0 characters; expected 1 to 200"),
        (" _ ", "has 0 characters"),
        ("x" * 201, "has 201 characters"),
        ("Jay\0", "has a control character"),
        ("Jay\x1b[31m", "has a control character"),
        ("Jay\udc80", "has a control character"),
    ],
)
def test_an_unusable_name_is_refused(given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        clean_name(given)


@pytest.mark.parametrize(
    "spellings",
    [
        ("Black-capped Chickadee", "Black capped Chickadee", "black_capped_chickadee"),
        ("Henslow's Sparrow", "Henslows Sparrow", "Henslow’s  sparrow", "HENSLOWʼS SPARROW"),
        ("Grey-headed Gull", "Gray headed Gull", "Grey‑headed Gull", "Grey−headed Gull"),
        ("Many-colored Rush Tyrant", "Many-coloured Rush-Tyrant"),
        ("Sulphur-crested Cockatoo", "sulfur crested cockatoo"),
        ("Rüppell's Vulture", "Ruppells Vulture", "Ru\u0308ppell’s Vulture"),
        ("Løvsanger", "lovsanger"),
        ("Łabędź", "labedz"),
        ("Häher", "HÄHER", "Haher"),
        ("St. Helena Plover", "St Helena Plover"),
        ("Sparrow Hawk", "Sparrowhawk"),
        ("Jay\u200b", "Jay"),
    ],
)
def test_the_spellings_of_a_name_are_one_name(spellings: tuple[str, ...]) -> None:
    assert len({fold(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Black-capped Chickadee", "Black-capped Chickadees"),
        ("Coal Tit", "Great Tit"),
        ("カケス", "ガケス"),  # the mark of a kana makes another letter
        ("Tree Swallow", "Wood Swallow"),
        ("-", "'"),  # of what is ignored alone, everything counts
    ],
)
def test_other_names_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_species_is_the_same_after_json() -> None:
    for species in (Species("Jay"), Species("Jay", "Garrulus glandarius", {"de": "Eichelhäher"})):
        assert Species.from_json(species.to_json()) == species


def test_a_names_file_may_have_a_line_for_each_language(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(NAMES, encoding="utf-8-sig")  # as a spreadsheet saves it
    assert read_names(path) == {
        fold("Eurasian Jay"): Species(
            "Eurasian Jay", "Garrulus glandarius", {"de": "Eichelhäher", "fr": "Geai des chênes"}
        ),
        "wren": Species("Wren"),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names.csv: no column label, lang, name, scientific; expected label,scientific,lang"),
        (b"label,name\nJay,x\n", "no column lang, scientific"),
        (
            b"label,scientific,lang,name\nJay,,,\n,,de,x\n",
            "names.csv, line 3: species name '' has 0 characters; expected 1 to 200",
        ),
        (
            b"label,scientific,lang,name\nJay,,de,x\0\n",
            "names.csv, line 2: species name .* has a control character",
        ),
        (b"label,scientific,lang,name\n" + b"x" * 200_000 + b",,,\n", "not a CSV file [(]field"),
        (b"label,scientific,lang,name\nJay\n", None),
        (b"label,scientific,lang,name\nJay,,de,A, or B\n", "line 2: 5 cells .*; expected 4"),
        (b"label,scientific,lang,name\n,,,\nJay,,,\n, ,,,,\n,,,\n", None),
    ],
)
def test_a_malformed_names_file_is_refused_and_blank_rows_are_not(
    tmp_path: Path, content: bytes, words: str | None
) -> None:
    (tmp_path / "names.csv").write_bytes(content)
    if words is None:
        assert read_names(tmp_path / "names.csv") == {"jay": Species("Jay")}
        return
    with pytest.raises(InputError, match=words):
        read_names(tmp_path / "names.csv")


def test_a_names_file_may_spell_labels_in_another_case(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(
        "label,scientific,lang,name\nEURASIAN_JAY,Garrulus glandarius,de,Häher\n"
        "eurasian  jay,,fr,Geai\nOwl,,de,Eule\n",
        encoding="utf-8",
    )
    jay = Species("Eurasian Jay", "Garrulus glandarius", {"de": "Häher", "fr": "Geai"})
    assert merge_names([Species("Eurasian Jay")], path) == [
        jay,
        Species("Owl", None, {"de": "Eule"}),
    ]
    for sense in ("images", "audio"):
        (tmp_path / sense / "Eurasian_Jay").mkdir(parents=True)
    (tmp_path / "images/Eurasian_Jay/a.jpg").touch()
    assert scan_dataset(tmp_path / "images", tmp_path / "audio", read_names(path)).species == (jay,)


def test_a_missing_names_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names.csv: cannot be read .No such file"):
        read_names(tmp_path / "names.csv")
