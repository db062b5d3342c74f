import errno
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import CALIBRATION, BluePitch, factory, picture, tone
from pages import HOSTILE, browse, complaints, photograph, section
from toy_scene import write_known_species
from typer.testing import CliRunner

from birdfield import paths
from birdfield.commands.app import app
from birdfield.errors import InputError, MissingError
from birdfield.evaluate.files import embed_folders
from birdfield.evaluate.scores import late_fusion, report, score
from birdfield.evaluate.unknown import Separation
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.report import Evaluation, check_report, gather, write_report
from birdfield.report.gather import read_summary
from birdfield.report.noise import worst_kinds

for package in ("jinja2", "matplotlib", "sklearn"):
    pytest.importorskip(package, reason=f"{package} is not installed: birdfield[report]")

SECTIONS = (
    "summary",
    "senses",
    "species",
    "confusion",
    "map-section",
    "reliability",
    "rejection",
    "noise",
    "mistakes",
    "model",
)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Two Jays and two Robins seen, of which one Robin is at the Wren's angle; three heard."""
    folder = tmp_path_factory.mktemp("birds")
    for name in ("images/Jay", "images/Robin", "audio/Jay", "audio/Robin"):
        (folder / name).mkdir(parents=True)
    for name, degrees in {"Jay/a": 3, "Jay/b": 5, "Robin/a": 62, "Robin/b": 118}.items():
        picture(folder / "images" / f"{name}.png", degrees)
    for name, degrees in {"Jay/a__0": 4, "Jay/a__1": 6, "Robin/c": 65}.items():
        tone(folder / "audio" / f"{name}.wav", degrees)
    gallery, fuse = factory(), BluePitch().fuse
    files = embed_folders(
        BluePitch(), gallery.labels, folder / "images", folder / "audio", lambda *_: None
    )
    scored = score(fuse, gallery, files.images, files.audio)
    figures = report(scored, "b1rd", 3, late_fusion(scored, CALIBRATION))
    return gather(
        fuse,
        gallery,
        files,
        scored,
        figures,
        folder,
        ["/usr/bin/birdfield", "evaluate", "my model", "a<b"],
        {},
    )


@pytest.fixture(scope="module")
def everything(evidence: Evaluation) -> Evaluation:
    """The same with all that an evaluation may measure."""
    figures = json.loads(json.dumps(evidence.figures))
    for sense in SENSES:
        figures[sense] |= {
            "ece": 0.0123,
            "reliability": [
                {"score": 0.4, "accuracy": 0.5, "n": 2},
                {"score": 0.9, "accuracy": 1.0, "n": 1},
            ],
        }
    clean = {"noise": "none", "snr_db": None, "image_damage": "clean", "n": 4}
    figures["noise"] = [
        clean | {"image_top1": 0.75, "audio_top1": 0.97, "both_top1": 0.98},
        *(
            clean
            | {
                "noise": kind,
                "snr_db": snr,
                "image_top1": 0.75,
                "audio_top1": top1,
                "both_top1": 0.8,
            }
            for kind, snr, top1 in (("rain", 0, 0.2), ("rain", 10, 0.4), ("wind", 0, 0.6))
        ),
        clean | {"image_damage": "blur", "image_top1": 0.11, "audio_top1": 0.97, "both_top1": 0.9},
    ]
    figures["unknown"] = {
        "image": {
            "auroc": 0.871,
            "fpr95": 0.222,
            "n": 3,
            "oscr": 0.654,
            "near": {"auroc": 0.777, "n": 1},
        }
    }
    figures["no_bird"] = {
        "audio": {"auroc": 0.912, "fpr95": 0.333, "n": 3},
        "both_reason": "nothing <was> both",
    }
    found = Separation(
        np.array([0.9, 0.8, 0.7], np.float32), np.array([0.75, 0.2, 0.1], np.float32)
    )
    return replace(
        evidence,
        figures=figures,
        separations={"unknown": {Sense.IMAGE: found}, "no_bird": {Sense.AUDIO: found}},
        manifest={
            "birdfield": "0.1.0",
            "image": {"backbone": "blue", "size_px": 224},
            "frontend": {"name": "pitch", "sha256": "0a1b"},
            "licences": ["of the <air>"],
        },
        problems=("b<a>d.png: not a picture",),
    )


def page_of(evidence: Evaluation, folder: Path) -> str:
    write_report(folder, evidence)
    return (folder / "index.html").read_text()


@pytest.fixture(scope="module")
def plain_page(evidence: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(evidence, tmp_path_factory.mktemp("plain") / "report")


@pytest.fixture(scope="module")
def full_folder(everything: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "report"
    write_report(folder, everything)
    return folder


@pytest.fixture(scope="module")
def full_page(full_folder: Path) -> str:
    return (full_folder / "index.html").read_text()


class Cells(HTMLParser):
    """The exact numbers in the rows of one table, and what they are written as."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self.rows: dict[str, list[tuple[float, str]]] = {}
        self._table, self._inside, self._row, self._value = table, False, "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._inside = given.get("id") == self._table
        if self._inside and tag == "tr" and given.get("data-sense"):
            self._row = str(given["data-sense"])
            self.rows[self._row] = []
        self._value = str(given["value"]) if tag == "data" else ""

    def handle_data(self, data: str) -> None:
        if self._inside and self._value:
            self.rows[self._row].append((float(self._value), data))
            self._value = ""


def test_the_headline_table_is_the_json(
    everything: Evaluation, full_folder: Path, full_page: str
) -> None:
    figures = json.loads((full_folder / "report.json").read_text())
    assert figures == everything.figures
    cells = Cells("headline")
    cells.feed(full_page)
    assert cells.rows.keys() == {*SENSES, "late"}
    for sense in SENSES:
        entry = figures[sense]
        numbers = [
            entry["top1"],
            *entry["top1_ci95"],
            entry["n"],
            entry["recall_at_1"],
            entry["map_at_r"],
            entry["ece"],
        ]
        assert [value for value, _ in cells.rows[sense]] == [
            number for number in numbers if number is not None
        ]
    late = figures["late_fusion"]
    assert [value for value, _ in cells.rows["late"]] == [late["top1"], late["n"]]
    for row in cells.rows.values():
        assert all(text in (f"{value:.3f}", f"{value:,.0f}") for value, text in row)


def test_a_missing_sense_is_compared_on_the_same_pairs(
    evidence: Evaluation, plain_page: str
) -> None:
    """2 x 2 pairs of Jays and 2 x 1 of Robins: by sight 5 of 6 are right, by sound all.

    Joined, 118 and 65 degrees are at 91.5: nearest to the Wren at 120, by 28.5 against 31.5.
    """
    part = section(plain_page, "senses")
    assert "same 6 pairs" in part
    assert [float(value) for value in re.findall(r'value="([\d.]+)"', part)] == [
        0.8333,
        0.8333,
        1.0,
        evidence.figures["late_fusion"]["top1"],
    ]
    assert "+0.000" in part and "+0.167" in part


def test_a_species_has_its_row_and_its_confusion(plain_page: str) -> None:
    """The Robin is taken for the Wren once by sight and once by both."""
    rows = section(plain_page, "species").split("<tr>")[2:]
    assert ["Jay" in rows[0], "Robin" in rows[1], len(rows)] == [True, True, 2]
    sorted_by = [re.findall(r'data-sort="([^"]*)"', row) for row in rows]
    assert sorted_by == [
        ["Jay", "1.0", "1.0", "1.0", "", "0"],
        ["Robin", "0.5", "1.0", "0.5", "Wren", "2"],
    ]


def test_the_confusion_matrix_counts(plain_page: str) -> None:
    part = section(plain_page, "confusion")
    assert "<title>Robin → Wren: 1 of 2</title>" in part and "Jay → Jay: 4 of 4" in part
    assert part.count("<details") == 3 and part.count("<details open>") == 1


def test_the_map_holds_every_file_and_prototype(plain_page: str) -> None:
    """4 photographs, 3 recordings and 3 prototypes of each of the 2 species tested."""
    part = section(plain_page, "map-section")
    assert part.count('class="mark"') == 7 and part.count('class="mark prototype"') == 6
    assert "<title>Jay: a__0.wav</title>" in part and "Robin: prototype by both" in part


def test_the_worst_mistakes_are_shown_with_picture_and_sound(plain_page: str) -> None:
    part = section(plain_page, "mistakes")
    assert part.count('<img src="data:image/jpeg') == 2  # by sight and by both
    assert part.count('<img class="sound"') == 1 and "None: every answer was right" in part
    assert "Robin/b.png + Robin/c.wav; first 2.0 s" in part and "Robin, taken for Wren" in part


def test_a_file_that_went_away_since_is_said_to_have(evidence: Evaluation, tmp_path: Path) -> None:
    lost = replace(
        evidence, image_paths=tuple(tmp_path / path.name for path in evidence.image_paths)
    )
    part = section(page_of(lost, tmp_path / "report"), "mistakes")
    assert part.count("The photograph cannot be read any more") == 2


def test_the_page_asks_for_nothing_from_anywhere(full_page: str) -> None:
    text = re.sub(r"base64,[^\"]*", "", full_page)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    for target in re.findall(r'(?:src|href)="([^"]*)"', full_page):
        assert target.startswith(("data:", "#")), target
    assert len(full_page) < 5_000_000 and "default-src 'none'" in full_page


def test_ids_are_unique_and_every_reference_has_one(full_page: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', full_page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', full_page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", full_page)) <= set(ids)


def test_every_picture_has_a_text_and_every_heading_its_cells(full_page: str) -> None:
    assert all(" alt=" in tag for tag in re.findall(r"<img [^>]*>", full_page))
    assert all(
        "aria-label=" in tag or 'aria-hidden="true"' in tag
        for tag in re.findall(r"<svg [^>]*>", full_page)
    )
    assert all("scope=" in tag for tag in re.findall(r"<th[ >][^>]*>?", full_page))


def test_what_was_not_measured_is_named_in_a_line(plain_page: str) -> None:
    assert [name for name in SECTIONS if "Not measured: " in section(plain_page, name)] == [
        "rejection",
        "noise",
    ]
    assert section(plain_page, "rejection").count("Not measured: ") == 2  # unknown and no bird


def test_what_was_measured_is_shown(full_page: str) -> None:
    """Rain leaves sound 0.3 on average and comes before wind with 0.6; blur leaves sight 0.11."""
    assert "Not measured" not in full_page
    assert section(full_page, "reliability").count('<svg role="img"') == 3
    assert section(full_page, "rejection").count('<svg role="img"') == 3
    for text in ("0.871", "0.222", "0.654", "0.777", "0.912", "nothing &lt;was&gt; both"):
        assert text in section(full_page, "rejection")
    noise = section(full_page, "noise")
    assert "0 0.40, 10 0.40, clean 0.97" in noise  # by sound: rain and wind at 0 dB, rain at 10
    assert noise.index(">rain<") < noise.index(">wind<") and 'value="0.11"' in noise
    for text in (
        "blue",
        "224 px",
        "pitch",
        "of the &lt;air&gt;",
        "b&lt;a&gt;d.png",
        "b1rd",
        "birdfield evaluate &#39;my model&#39; &#39;a&lt;b&#39;",
    ):
        assert text in section(full_page, "model")
    assert "0a1b" not in section(full_page, "model")


def test_the_starter_tells_of_itself_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "package" / "starter"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"licences": ["mine"]}')
    monkeypatch.setattr(paths, "STARTER", folder)
    monkeypatch.chdir(tmp_path)
    assert read_summary(Path("starter")) == read_summary(folder) == {"licences": ["mine"]}
    assert read_summary(tmp_path) == {}


@pytest.mark.parametrize("sense", [Sense.IMAGE, Sense.AUDIO])
def test_one_sense_alone_makes_a_page(evidence: Evaluation, tmp_path: Path, sense: Sense) -> None:
    images, audio = evidence.images, evidence.audio
    nothing = replace(
        images,
        vectors=images.vectors[:0],
        labels=images.labels[:0],
        recordings=images.recordings[:0],
    )
    images, audio = (images, nothing) if sense == Sense.IMAGE else (nothing, audio)
    scored = score(BluePitch().fuse, evidence.gallery, images, audio)
    figures = report(scored, "b1rd", 3, late_fusion(scored, CALIBRATION))
    page = page_of(
        replace(
            evidence,
            scored=scored,
            figures=figures,
            images=images,
            audio=audio,
            image_paths=evidence.image_paths[: len(images.labels)],
            audio_paths=evidence.audio_paths[: len(audio.labels)],
        ),
        tmp_path / "report",
    )
    assert section(page, "summary").count("Not measured: ") == 2
    assert "no species had both" in section(page, "senses")
    assert section(page, "confusion").count("<details") == 1


def hostile(evidence: Evaluation) -> Evaluation:
    """Give the species names that are code, or long, or in another script."""
    return replace(
        evidence,
        gallery=replace(
            evidence.gallery,
            species=tuple(Species(name, scientific=HOSTILE[0]) for name in HOSTILE),
        ),
    )


def test_hostile_names_are_text(everything: Evaluation, tmp_path: Path) -> None:
    page = page_of(hostile(everything), tmp_path / "report")
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<script>") == 1
    text = unescape(page)
    assert all(name in text for name in HOSTILE)


def test_a_name_that_is_no_text_is_written_all_the_same(
    evidence: Evaluation, tmp_path: Path
) -> None:
    odd = replace(evidence, command="birdfield \udce4")
    assert r"birdfield \udce4" in page_of(odd, tmp_path / "report")


def test_a_report_takes_the_place_of_nothing_but_a_report(
    evidence: Evaluation, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        write_report(tmp_path / "empty", evidence)
    (tmp_path / "empty" / "thesis.txt").touch()
    with pytest.raises(InputError, match="empty exists already and is no report .*another name"):
        check_report(tmp_path / "empty")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file exists already and is no report"):
        check_report(tmp_path / "file")
    with pytest.raises(InputError, match=r"file/report: cannot be written"):
        check_report(tmp_path / "file" / "report")
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        "index.html",
        "report.json",
        "thesis.txt",
    ]


def test_a_full_disk_leaves_nothing_behind(
    evidence: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="report: the disk is full; free some space"):
        write_report(tmp_path / "report", evidence)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jinja2" else find(name)
    )
    with pytest.raises(MissingError, match=r"jinja2 is not installed; .*'birdfield\[report\]'"):
        check_report(tmp_path / "report")


def test_evaluate_writes_a_report(toy_bundle: Path, tmp_path: Path) -> None:
    write_known_species(tmp_path, photographs=2)
    result = CliRunner().invoke(
        app,
        [
            "evaluate",
            str(toy_bundle),
            str(tmp_path / "images"),
            str(tmp_path / "audio"),
            "--json",
            "-",
            "--report",
            str(tmp_path / "report"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(
        (tmp_path / "report" / "report.json").read_text()
    )
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Copper Wagtip" in page and "YAMNet" in section(page, "model")


@pytest.mark.browser
@pytest.mark.parametrize("width_px", [500, 1280])  # Chromium's windows are no narrower
def test_a_browser_shows_the_page(everything: Evaluation, tmp_path: Path, width_px: int) -> None:
    write_report(tmp_path / "report", hostile(everything))
    picture_seen = photograph(tmp_path / "report" / "index.html", width_px, 5000)
    inked = (picture_seen != picture_seen[0, 0]).any(axis=2)
    assert 0.02 < inked.mean() < 0.9 and inked[:1000].any() and inked[4000:].any()


@pytest.mark.browser
def test_a_click_on_a_heading_sorts(evidence: Evaluation, tmp_path: Path) -> None:
    """By sight: the Jay has 1.0 and the Robin 0.5; largest first, then smallest first."""
    page = page_of(evidence, tmp_path / "report")
    for clicks, order in ((1, ["Jay", "Robin"]), (2, ["Robin", "Jay"])):
        click = (
            "<script>"
            + clicks * ("document.querySelectorAll('#species-table th button')[1].click();")
            + "</script>"
        )
        open_to_scripts = re.sub(r"<meta http-equiv=[^>]*>", "", page)
        (tmp_path / "click.html").write_text(open_to_scripts.replace("</body>", click + "</body>"))
        done = browse(tmp_path / "click.html", tmp_path, "--dump-dom")
        assert '<html lang="en" class="js">' in done.stdout and complaints(done) == []
        body = done.stdout.split('id="species-table"')[1].split("</table>")[0]
        assert re.findall(r'<th scope="row" data-sort="(\w+)"', body) == order


@pytest.mark.browser
def test_a_browser_runs_no_other_script_and_sends_no_request(
    evidence: Evaluation, tmp_path: Path
) -> None:
    """Were a name not escaped, the page's policy would still keep what is in it from running."""
    page = page_of(evidence, tmp_path / "report")
    intruder = (
        "<script>document.title = 'taken'</script>"
        '<img src="file:///nowhere.png"><img src="http://127.0.0.1:9/a.png"></body>'
    )
    (tmp_path / "taken.html").write_text(page.replace("</body>", intruder))
    done = browse(tmp_path / "taken.html", tmp_path, "--dump-dom")
    assert "<title>taken" not in done.stdout and len(complaints(done)) == 3


def test_kinds_of_noise_are_ranked_by_what_they_take_from_their_own_recordings() -> None:
    """Wind takes 0.3 of easy recordings, rain 0.1 of hard ones."""
    rows = [
        {"noise": noise, "snr_db": snr_db, "image_damage": "clean", "audio_top1": audio}
        for noise, snr_db, audio in (
            ("rain", 20, 0.4),
            ("rain", -5, 0.3),
            ("wind", 20, 0.9),
            ("wind", -5, 0.6),
            ("none", None, 0.6),
        )
    ]
    assert [kind.name for kind in worst_kinds(rows)] == ["wind", "rain"]
    assert [kind.name for kind in worst_kinds(rows, most=1)] == ["wind"]
