"""Pages: what a browser shows of them."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "\"'&$x^2$ {{ 7 * 7 }}",
    "ホオジロ 🦉 " + "Vogel" * 35,
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def section(page: str, name: str) -> str:
    """Return the HTML of a section of a page."""
    return page.split(f'<section id="{name}"')[1].split("</section>")[0]


def browse(page: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Open a page in headless Chromium, or skip the test; the console is in stderr."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium; tools/system.sh installs it")
    return subprocess.run(
        [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            *arguments,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def console_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what a page wrote to the console: errors and refused requests."""
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def photograph(page: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return a picture of a page, uint8 [H, W, 3] BGR; its console must be empty."""
    shot = page.with_name("shot.png")
    done = browse(
        page, page.parent, f"--screenshot={shot}", f"--window-size={width_px},{height_px}"
    )
    assert console_lines(done) == []
    seen = cv2.imread(str(shot))
    assert seen is not None and seen.shape[1] == width_px
    return seen
