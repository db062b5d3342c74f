"""Pictures of the documents, made of the toy aviary: python tools/pictures.py DEMO FOLDER.

DEMO is the output folder of `make demo`. Writes FOLDER/report.png, two parts of the page of
`birdfield evaluate --report`; FOLDER/view.png, the terminal during `birdfield watch`; and
FOLDER/history.png, a part of the page of `birdfield report`. The scene lasts 8 minutes; for the
last picture, its visits are spread over twelve days of May.
"""

import io
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from birdfield.capture.camera import open_camera
from birdfield.capture.microphone import open_microphone
from birdfield.commands import station
from birdfield.journal.database import Journal
from birdfield.journal.history import gather_history
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.times import utc_text
from birdfield.model.open_model import open_model
from birdfield.report.history_page import write_history
from birdfield.view.layout import draw
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.view.state import View
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import RecorderSettings
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources

COLUMNS, LINES = 80, 24
FROM_S = 75.0  # of the scene: some visits are over by then
PAGE_PX = (1120, 990)
REPORT_PX = (1060, 1080)  # of each of its two parts
SHOWN_PX = 800  # the width at which a part is shown
MAP_ALONE = (
    "header, footer, section:not(#map-section) { display: none } "
    "#map-section { padding: 0; margin-top: 24px; border: 0 }"
)
TERMINAL_PX = (976, 586)
DAYS = 12
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Rich's own template loads fonts from the network.
SVG = """<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font: {char_height}px "DejaVu Sans Mono", Menlo, Consolas, monospace;
line-height: {line_height}px; font-variant-east-asian: full-width; }} {styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}"
height="{terminal_height}"/></clipPath>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" fill="#15191c"/>
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></svg>
"""


def evaluate(demo: Path, folder: Path) -> Path:
    """Evaluate the demo's model; return the path of the page."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "birdfield",
            "evaluate",
            "toy.birdfield",
            "test/images",
            "test/audio",
            "--report",
            folder / "report",
        ],
        cwd=demo,
        check=True,
    )
    return folder / "report" / "index.html"


def photograph_report(page: Path, picture: Path) -> None:
    """Write one picture of the top of an evaluation's page and its map, side by side."""
    style = page.read_text(encoding="utf-8").replace("</style>", f"{MAP_ALONE}</style>", 1)
    alone = page.with_name("map.html")
    alone.write_text(style, encoding="utf-8")
    parts = []
    for part in (page, alone):
        photograph(part, page.with_name("part.png"), REPORT_PX)
        parts.append(cv2.imread(str(page.with_name("part.png"))))
    both = np.hstack([part for part in parts if part is not None])
    scale = SHOWN_PX / REPORT_PX[0]
    cv2.imwrite(
        str(picture), cv2.resize(both, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )


def watch(demo: Path, folder: Path, out: Path) -> None:
    """Record the demo's scene in a journal; draw the view while a bird is seen and heard."""
    bundle, encoder, gallery = open_model(demo / "toy.birdfield")
    eye = open_camera(str(demo / "scene" / "scene.avi"))
    ear = open_microphone(str(demo / "scene" / "scene.wav"), encoder.audio_spec.rate_hz)
    assert ear is not None
    meter = MeteredMicrophone(ear, encoder.audio_spec.rate_hz)
    recogniser = Recogniser(encoder, gallery, bundle.model_id, crop_margin=bundle.crop_margin)
    sources = Sources(eye, meter)
    scene = SceneWatcher(recogniser, sources, fast=True)
    settings = RecorderSettings(gap_s=4)
    recorder = station.open_recorder(folder, settings, recogniser, sources.info, scene.began)
    liveness = station.open_liveness(bundle.model_id, sources.info, folder)
    with closing(read_journal(folder)) as journal:
        view = View(scene, bundle.folder.name, meter, journal)
        answers = station.Station(scene, recorder, liveness).observations(view)
        next(
            each
            for each in answers
            if (each.start_s or 0) > FROM_S
            and each.decision.species
            and each.decision.agreement == "agree"
        )
        console = Console(
            file=io.StringIO(),
            record=True,
            width=COLUMNS,
            height=LINES,
            force_terminal=True,
            color_system="truecolor",
        )
        console.print(draw(view, COLUMNS, LINES, colours=True), height=LINES)
        (out / "view.svg").write_text(console.export_svg(code_format=SVG, unique_id="view"))
        for _ in answers:
            pass


def spread(journal: Journal) -> None:
    """Spread visits over DAYS days, most of them in the morning and the evening."""
    draws = random.Random(1)
    with journal.transaction() as database:
        for row in database.execute("SELECT id, started, ended FROM visits").fetchall():
            hour = min(max(draws.choice([draws.gauss(7, 2), draws.gauss(18, 2)]), 4.0), 21.9)
            began = datetime(2026, 5, 1 + draws.randrange(DAYS), tzinfo=UTC) + timedelta(hours=hour)
            lasted = datetime.fromisoformat(row["ended"]) - datetime.fromisoformat(row["started"])
            database.execute(
                "UPDATE visits SET started = ?, ended = ? WHERE id = ?",
                (utc_text(began), utc_text(began + lasted), row["id"]),
            )


def photograph(page: Path, picture: Path, size_px: tuple[int, int]) -> None:
    """Write a screenshot of a page, taken by headless Chromium."""
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    subprocess.run(
        [
            str(browser),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={page.parent}/profile",
            f"--screenshot={picture}",
            "--window-size={},{}".format(*size_px),
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )


def main() -> None:
    """Write the pictures."""
    demo, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as place:
        photograph_report(evaluate(demo, Path(place)), out / "report.png")
        folder = Path(place) / "garden"
        watch(demo, folder, Path(place))
        photograph(Path(place) / "view.svg", out / "view.png", TERMINAL_PX)
        with closing(open_journal(folder)) as journal:
            spread(journal)
            write_history(Path(place) / "page", journal, gather_history(journal, None, None))
        photograph(Path(place) / "page" / "index.html", out / "history.png", PAGE_PX)


if __name__ == "__main__":
    main()
