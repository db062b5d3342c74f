"""Tests of tools/make_starter.py, up to and after the training."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from fakes import make_bundle

from birdfield import paths
from birdfield.commands.describe import to_text
from birdfield.errors import InputError
from birdfield.model.bundle import load_bundle

TOOLS = Path(__file__).parents[2] / "tools"
COLUMNS = (
    "file",
    "species",
    "recording",
    "source_repo",
    "source_path",
    "commit",
    "repo_licence",
    "file_licence",
    "author",
    "label",
)
BY_NC_SA = "https://creativecommons.org/licenses/by-nc-sa/4.0/"
ROWS = [  # file, repo_licence, file_licence, author, label
    ("train/images/Jay/a.jpg", "none stated (CUB-200-2011 subset)", "", "", ""),
    ("extra/images/Jay/a.jpg", "none stated", "CC BY 2.0", "Ann", ""),
    ("train/audio/Jay/x__0.ogg", "MIT (code)", BY_NC_SA, "Bob", "machine"),
    (
        "train/audio/Jay/y__0.ogg",
        "none stated",
        "http://creativecommons.org/licenses/by-nc-nd/2.5/",
        "Cat",
        "",
    ),
    ("enrol/audio/Wren/z__0.ogg", "CC BY-NC-SA 4.0 (repo)", "", "", ""),
    ("enrol/audio/Wren/z__1.ogg", "none stated", "CC-BY-NC", "<a href='x'>Dan</a>", ""),
    ("extra/images/Owl/o.jpg", "none stated", "", "", ""),
    ("extra/images/Owl/p.jpg", "none stated", "CC-BY-NC-ND", "", ""),
    ("negatives/images/sky__1.jpg", "none stated (ImageNet terms)", "", "", ""),
    ("unknown/images/Kite/k.jpg", "none stated", "", "", ""),
]


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("make_starter")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "DATA"
    lines = ["\t".join(COLUMNS)]
    for top in ("train", "enrol", "extra", "negatives"):
        for sense in ("images", "audio"):
            (folder / top / sense).mkdir(parents=True)
    for name, repo_licence, file_licence, author, label in ROWS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
        lines.append(
            "\t".join(
                [name, "", "", "someone/birds", "", "", repo_licence, file_licence, author, label]
            )
        )
    (folder / "SOURCES.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_permitted_files_are_linked_by_species(
    maker: ModuleType, data: Path, tmp_path: Path
) -> None:
    """Two of ten files permit no derivatives, which leaves one file of the owl: too few."""
    found = maker.collect(data, tmp_path / "work")
    links = {
        str(path.relative_to(tmp_path / "work")): path.read_text()
        for path in (tmp_path / "work").rglob("*")
        if path.is_file()
    }
    assert links == {
        "images/Jay/a.jpg": "extra/images/Jay/a.jpg",
        "images/Jay/train-a.jpg": "train/images/Jay/a.jpg",
        "audio/Jay/x__0.ogg": "train/audio/Jay/x__0.ogg",
        "audio/Wren/z__0.ogg": "enrol/audio/Wren/z__0.ogg",
        "audio/Wren/z__1.ogg": "enrol/audio/Wren/z__1.ogg",
        "negatives/images/sky__1.jpg": "negatives/images/sky__1.jpg",
    }
    assert (found.no_derivatives, found.few, found.machine) == (2, ("Owl",), 1)
    assert (
        found.unstated == 2
    )  # the jay of CUB, and the sky; the CC licence of a repository applies to its files


def test_a_file_of_unknown_origin_is_refused(maker: ModuleType, data: Path, tmp_path: Path) -> None:
    (data / "train/images/Jay/new.jpg").touch()
    with pytest.raises(SystemExit, match="train/images/Jay/new.jpg and 0 other files are not in"):
        maker.collect(data, tmp_path / "work")


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC BY-NC-ND 4.0", True),
        ("CC-BY-ND", True),
        (BY_NC_SA, False),
        ("No Derivatives", True),
        ("", False),
        ("CC BY-SA 3.0", False),
        ("Android sounds", False),
    ],
)
def test_no_derivatives_is_detected_in_each_spelling(
    maker: ModuleType, licence: str, forbids: bool
) -> None:
    row = {"file_licence": licence, "repo_licence": "none stated"}
    assert maker.forbids_derivatives(row) == forbids


def test_the_starter_is_a_bundle_with_a_licence_and_a_card(
    maker: ModuleType, data: Path, tmp_path: Path
) -> None:
    """The figures of the card are those of the manifest; it counts the linked files."""
    made = make_bundle(tmp_path / "m.birdfield")
    manifest = json.loads((made.folder / "manifest.json").read_text())
    score = {"top1": 0.912, "top1_ci95": [0.9, 0.95], "n": 77}
    manifest["cross_validation"] = {
        "image": score,
        "audio": {"n": 0},
        "both": {**score, "image_top1": 0.5, "audio_top1": 0.25},
    }
    manifest["training"] = {"data": {"species": 2, "photographs": 2, "recordings": 3, "skipped": 0}}
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    maker.assemble(
        made.folder,
        tmp_path / "starter",
        maker.collect(data, tmp_path / "work"),
        ["birdfield train"],
    )
    starter = load_bundle(tmp_path / "starter")
    assert starter.model_id == made.model_id and maker.LICENCE in starter.manifest.licences
    licence = (starter.folder / "LICENSE").read_text()
    assert "      2  CC BY-NC-SA 4.0, recordings" in licence and "non-commercial" in licence
    assert "Files that state no licence of their own: 2." in licence
    assert "CC BY-NC: Dan" in licence and "Cat" not in licence
    card = (starter.folder / "MODEL_CARD.md").read_text()
    assert "| image | 0.912 | 0.900 to 0.950 | 77 |" in card and "| audio |" not in card
    assert "| Jay | 2 | 1 |" in card and "1 recordings were named by a classifier" in card
    text = to_text(starter, starter.factory_gallery())
    assert f"model card: {starter.model_card}" in text and text.endswith(card)
    assert f"  licence: {maker.LICENCE}" in text


def test_a_changed_card_is_refused(maker: ModuleType, tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "m.birdfield")
    manifest = json.loads((made.folder / "manifest.json").read_text())
    (made.folder / "MODEL_CARD.md").write_text("before")
    load_bundle(made.folder)  # the manifest does not list the card
    manifest["files"]["MODEL_CARD.md"] = paths.file_sha256(made.folder / "MODEL_CARD.md")
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    load_bundle(made.folder)
    (made.folder / "MODEL_CARD.md").write_text("after")
    with pytest.raises(InputError, match="MODEL_CARD.md: damaged"):
        load_bundle(made.folder)


def test_the_commands_train_and_export(maker: ModuleType) -> None:
    train, export = maker.commands(negatives=True)
    assert train[:5] == ["train", "WORK/images", "WORK/audio", "-o", "WORK/run"]
    assert export[0] == "export"


def test_the_texts_count_only_background_that_was_trained_on(
    maker: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sky is the only background; without --no-bird only the jay of CUB states no licence."""
    given = []
    monkeypatch.setattr(maker, "EXTRA_TRAIN", ())
    monkeypatch.setattr(maker, "birdfield", lambda arguments: None)
    monkeypatch.setattr(maker, "assemble", lambda bundle, out, found, made: given.append(found))
    maker.make(data, tmp_path / "starter", tmp_path / "work")
    assert (given[0].negatives, given[0].unstated) == ((), 1)
