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
from fakes import CALIBRATION, BluePitch, factory, manifest_entries, picture, tone
from pages import HOSTILE, browse, console_lines, photograph, section
from toy_scene import write_known_species
from typer.testing import CliRunner

from birdfield import paths
from birdfield.commands.app import app
from birdfield.errors import InputError, MissingError
from birdfield.evaluate.evaluation import Measurement
from birdfield.evaluate.figures import (
    GroupFigures,
    NoiseFigures,
    RejectionFigures,
    SenseRejection,
)
from birdfield.evaluate.files import embed_folders
from birdfield.evaluate.metrics import ReliabilityBin
from birdfield.evaluate.rejection import Separation
from birdfield.evaluate.scores import late_fusion, score
from birdfield.evaluate.summary import summarise
from birdfield.model.bundle import FILES
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.report import Evaluation, check_report, gather, write_report
from birdfield.report.noise import worst_kinds
from birdfield.report.summary import ModelSummary, read_summary

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
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Two Jays and two Robins by image, one Robin at the angle of the Wren; three recordings."""
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
    scores = score(fuse, gallery, files.images, files.audio)
    figures = summarise(scores, "b1rd", 3, late_fusion(scores, CALIBRATION))
    return gather(
        fuse,
        Measurement(figures, files, scores),
        folder,
        ["/usr/bin/birdfield", "evaluate", "my model", "a<b"],
    )


@pytest.fixture(scope="module")
def everything(evaluation: Evaluation) -> Evaluation:
    """The same with all figures that an evaluation can have."""
    plain = evaluation.figures
    bins = (ReliabilityBin(0.4, 0.5, 2), ReliabilityBin(0.9, 1.0, 1))
    figures = replace(
        plain,
        image=replace(plain.image, ece=0.0123, reliability=bins),
        audio=replace(plain.audio, ece=0.0123, reliability=bins),
        both=replace(plain.both, ece=0.0123, reliability=bins),
        noise=(
            NoiseFigures("none", None, "clean", 0.75, 0.97, 0.98, 4),
            NoiseFigures("rain", 0, "clean", 0.75, 0.2, 0.8, 4),
            NoiseFigures("rain", 10, "clean", 0.75, 0.4, 0.8, 4),
            NoiseFigures("wind", 0, "clean", 0.75, 0.6, 0.8, 4),
            NoiseFigures("none", None, "blur", 0.11, 0.97, 0.9, 4),
        ),
        unknown=RejectionFigures(
            {
                Sense.IMAGE: SenseRejection(
                    0.871, 0.222, 3, 0.654, GroupFigures(0.777, 1), GroupFigures(None, 0)
                )
            }
        ),
        background=RejectionFigures(
            {Sense.AUDIO: SenseRejection(0.912, 0.333, 3)}, "nothing <was> both"
        ),
    )
    found = Separation(
        np.array([0.9, 0.8, 0.7], np.float32), np.array([0.75, 0.2, 0.1], np.float32)
    )
    return replace(
        evaluation,
        figures=figures,
        unknown={Sense.IMAGE: found},
        background={Sense.AUDIO: found},
        model=ModelSummary(
            birdfield="0.1.0",
            backbone="blue",
            size_px=224,
            frontend="pitch",
            licences=("of the <air>",),
        ),
        problems=("b<a>d.png: not a picture",),
    )


def page_of(evaluation: Evaluation, folder: Path) -> str:
    write_report(folder, evaluation)
    return (folder / "index.html").read_text()


@pytest.fixture(scope="module")
def plain_page(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(evaluation, tmp_path_factory.mktemp("plain") / "report")


@pytest.fixture(scope="module")
def full_folder(everything: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "report"
    write_report(folder, everything)
    return folder


@pytest.fixture(scope="module")
def full_page(full_folder: Path) -> str:
    return (full_folder / "index.html").read_text()


class Cells(HTMLParser):
    """The exact numbers in the rows of a table, and their texts."""

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
    assert figures == everything.figures.to_json()
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
    evaluation: Evaluation, plain_page: str
) -> None:
    """2 x 2 pairs of Jays and 2 x 1 pairs of Robins: 5 of 6 are right by image, all by sound.

    Fused, 118 and 65 degrees are at 91.5: nearest to the Wren at 120, by 28.5 against 31.5.
    """
    part = section(plain_page, "senses")
    assert "same 6 pairs" in part
    assert [float(value) for value in re.findall(r'value="([\d.]+)"', part)] == [
        0.8333,
        0.8333,
        1.0,
        evaluation.figures.late_fusion.top1,
    ]
    assert "+0.000" in part and "+0.167" in part


def test_a_species_has_a_row_with_its_confusion(plain_page: str) -> None:
    """The Robin is answered as a Wren once by image and once by both."""
    rows = section(plain_page, "species").split("<tr>")[2:]
    assert ["Jay" in rows[0], "Robin" in rows[1], len(rows)] == [True, True, 2]
    sorted_by = [re.findall(r'data-sort="([^"]*)"', row) for row in rows]
    assert sorted_by == [
        ["Jay", "1.0", "1.0", "1.0", "", "0"],
        ["Robin", "0.5", "1.0", "0.5", "Wren", "2"],
    ]


def test_the_confusion_matrix_counts_answers(plain_page: str) -> None:
    part = section(plain_page, "confusion")
    assert "<title>Robin → Wren: 1 of 2</title>" in part and "Jay → Jay: 4 of 4" in part
    assert part.count("<details") == 3 and part.count("<details open>") == 1


def test_the_map_shows_each_file_and_prototype(plain_page: str) -> None:
    """4 photographs, 3 recordings and 3 prototypes of each of 2 tested species."""
    part = section(plain_page, "map-section")
    assert part.count('class="mark"') == 7 and part.count('class="mark prototype"') == 6
    assert "<title>Jay: a__0.wav</title>" in part and "Robin: prototype by both" in part


def test_the_worst_mistakes_are_shown_with_picture_and_sound(plain_page: str) -> None:
    part = section(plain_page, "mistakes")
    assert part.count('<img src="data:image/jpeg') == 2  # by sight and by both
    assert part.count('<img class="sound"') == 1 and "None: all answers are right" in part
    assert "Robin/b.png + Robin/c.wav; first 2.0 s" in part and "Robin, answer Wren" in part


def test_a_deleted_file_is_reported_as_unreadable(evaluation: Evaluation, tmp_path: Path) -> None:
    lost = replace(
        evaluation, image_paths=tuple(tmp_path / path.name for path in evaluation.image_paths)
    )
    part = section(page_of(lost, tmp_path / "report"), "mistakes")
    assert part.count("The photograph cannot be read") == 2


def test_the_page_loads_nothing_else(full_page: str) -> None:
    text = re.sub(r"base64,[^\"]*", "", full_page)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    for target in re.findall(r'(?:src|href)="([^"]*)"', full_page):
        assert target.startswith(("data:", "#")), target
    assert len(full_page) < 5_000_000 and "default-src 'none'" in full_page


def test_ids_are_unique_and_references_lead_to_them(full_page: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', full_page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', full_page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", full_page)) <= set(ids)


def test_pictures_have_texts_and_headings_a_scope(full_page: str) -> None:
    assert all(" alt=" in tag for tag in re.findall(r"<img [^>]*>", full_page))
    assert all(
        "aria-label=" in tag or 'aria-hidden="true"' in tag
        for tag in re.findall(r"<svg [^>]*>", full_page)
    )
    assert all("scope=" in tag for tag in re.findall(r"<th[ >][^>]*>?", full_page))


def test_missing_measurements_are_named(plain_page: str) -> None:
    assert [name for name in SECTIONS if "Not measured: " in section(plain_page, name)] == [
        "rejection",
        "noise",
    ]
    assert section(plain_page, "rejection").count("Not measured: ") == 2  # unknown, background


def test_all_measurements_are_shown(full_page: str) -> None:
    """By sound, rain has a mean top-1 of 0.3 and precedes wind with 0.6; blur has 0.11 by image."""
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


def test_the_starter_has_a_manifest_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "package" / "starter"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"licences": ["mine"]}')
    monkeypatch.setattr(paths, "STARTER", folder)
    monkeypatch.chdir(tmp_path)
    expected = ModelSummary(licences=("mine",))
    assert read_summary(Path("starter")) == read_summary(folder) == expected
    assert read_summary(tmp_path) == ModelSummary()


def test_a_summary_has_what_the_manifest_states_and_leaves_out_what_is_malformed(
    tmp_path: Path,
) -> None:
    entries = manifest_entries(dict.fromkeys(FILES, ""))
    entries["training"] = {"data": {"species": 3, "photographs": 40}}
    entries["licences"] = 3
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    assert read_summary(tmp_path) == ModelSummary(
        birdfield="0",
        backbone="blue",
        size_px=224,
        frontend="yamnet",
        rate_hz=16_000,
        precisions={"image": "float"},
        trained_on={"species": 3, "photographs": 40},
    )


@pytest.mark.parametrize("sense", [Sense.IMAGE, Sense.AUDIO])
def test_one_sense_alone_makes_a_page(evaluation: Evaluation, tmp_path: Path, sense: Sense) -> None:
    images, audio = evaluation.images, evaluation.audio
    empty = replace(
        images,
        vectors=images.vectors[:0],
        labels=images.labels[:0],
        recordings=images.recordings[:0],
    )
    images, audio = (images, empty) if sense == Sense.IMAGE else (empty, audio)
    scores = score(BluePitch().fuse, evaluation.gallery, images, audio)
    figures = summarise(scores, "b1rd", 3, late_fusion(scores, CALIBRATION))
    page = page_of(
        replace(
            evaluation,
            scores=scores,
            figures=figures,
            images=images,
            audio=audio,
            image_paths=evaluation.image_paths[: len(images.labels)],
            audio_paths=evaluation.audio_paths[: len(audio.labels)],
        ),
        tmp_path / "report",
    )
    assert section(page, "summary").count("Not measured: ") == 2
    assert "no species has both" in section(page, "senses")
    assert section(page, "confusion").count("<details") == 1


def hostile(evaluation: Evaluation) -> Evaluation:
    """Rename the species: names are code, or long, or in another script."""
    return replace(
        evaluation,
        gallery=replace(
            evaluation.gallery,
            species=tuple(Species(name, scientific=HOSTILE[0]) for name in HOSTILE),
        ),
    )


def test_hostile_names_are_text(everything: Evaluation, tmp_path: Path) -> None:
    page = page_of(hostile(everything), tmp_path / "report")
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<script>") == 1
    text = unescape(page)
    assert all(name in text for name in HOSTILE)


def test_a_name_that_is_not_utf_8_is_written(evaluation: Evaluation, tmp_path: Path) -> None:
    odd = replace(evaluation, command="birdfield \udce4")
    assert r"birdfield \udce4" in page_of(odd, tmp_path / "report")


def test_a_report_replaces_only_a_report(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        write_report(tmp_path / "empty", evaluation)
    (tmp_path / "empty" / "thesis.txt").touch()
    with pytest.raises(InputError, match="empty exists already and is not a report .*another name"):
        check_report(tmp_path / "empty")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file exists already and is not a report"):
        check_report(tmp_path / "file")
    with pytest.raises(InputError, match=r"file/report: cannot be written"):
        check_report(tmp_path / "file" / "report")
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        "index.html",
        "report.json",
        "thesis.txt",
    ]


def test_a_full_disk_leaves_no_files(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="report: the disk is full; free some space"):
        write_report(tmp_path / "report", evaluation)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jinja2" else find(name)
    )
    with pytest.raises(MissingError, match=r"jinja2 is not installed; .*pip install jinja2"):
        check_report(tmp_path / "report")


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("width_px", [500, 1280])  # Chromium's windows are no narrower
def test_a_browser_shows_the_page(everything: Evaluation, tmp_path: Path, width_px: int) -> None:
    write_report(tmp_path / "report", hostile(everything))
    picture_seen = photograph(tmp_path / "report" / "index.html", width_px, 5000)
    inked = (picture_seen != picture_seen[0, 0]).any(axis=2)
    assert 0.02 < inked.mean() < 0.9 and inked[:1000].any() and inked[4000:].any()


@pytest.mark.slow
@pytest.mark.browser
def test_a_click_on_a_heading_sorts(evaluation: Evaluation, tmp_path: Path) -> None:
    """By image the Jay has 1.0 and the Robin 0.5: largest first, then smallest first."""
    page = page_of(evaluation, tmp_path / "report")
    for clicks, order in ((1, ["Jay", "Robin"]), (2, ["Robin", "Jay"])):
        click = (
            "<script>"
            + clicks * ("document.querySelectorAll('#species-table th button')[1].click();")
            + "</script>"
        )
        open_to_scripts = re.sub(r"<meta http-equiv=[^>]*>", "", page)
        (tmp_path / "click.html").write_text(open_to_scripts.replace("</body>", click + "</body>"))
        done = browse(tmp_path / "click.html", tmp_path, "--dump-dom")
        assert '<html lang="en" class="js">' in done.stdout and console_lines(done) == []
        body = done.stdout.split('id="species-table"')[1].split("</table>")[0]
        assert re.findall(r'<th scope="row" data-sort="(\w+)"', body) == order


@pytest.mark.slow
@pytest.mark.browser
def test_a_browser_runs_no_other_script_and_sends_no_request(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    """The policy of the page blocks scripts even in a name that is not escaped."""
    page = page_of(evaluation, tmp_path / "report")
    intruder = (
        "<script>document.title = 'taken'</script>"
        '<img src="file:///nowhere.png"><img src="http://127.0.0.1:9/a.png"></body>'
    )
    (tmp_path / "taken.html").write_text(page.replace("</body>", intruder))
    done = browse(tmp_path / "taken.html", tmp_path, "--dump-dom")
    assert "<title>taken" not in done.stdout and len(console_lines(done)) == 3


def test_kinds_of_noise_are_ranked_by_the_loss_on_their_own_recordings() -> None:
    """Wind lowers top-1 by 0.3 on easy recordings, rain by 0.1 on hard ones."""
    rows = [
        NoiseFigures(noise, snr_db, "clean", None, audio, None, 4)
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
