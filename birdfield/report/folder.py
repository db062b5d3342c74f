"""The folder that a report is: a page and its figures, there only when both are whole."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from birdfield.atomic import check_folder_writable, new_folder
from birdfield.errors import InputError, MissingError
from birdfield.report.evaluation import Evaluation

NEEDED = ("jinja2", "matplotlib", "sklearn", "threadpoolctl")
PAGE, FIGURES = "index.html", "report.json"


def check_report(folder: Path) -> None:
    """Check, before the work, that a report can be made, and takes nobody's place.

    Raises:
        MissingError: When a package of the report extra is missing.
        InputError: When the folder holds anything but an older report.
    """
    check_folder(folder, NEEDED, {PAGE, FIGURES})


def check_folder(folder: Path, needed: Sequence[str], files: set[str]) -> None:
    """Check that packages are there, and that a folder is missing, empty or holds just files.

    Raises:
        MissingError: When a package is missing.
        InputError: When the folder holds anything else, or cannot be made or replaced.
    """
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"{', '.join(missing)} is not installed; a report needs it: "
            "pip install 'birdfield[report]'"
        )
    check_folder_writable(folder)
    if not folder.exists():
        return
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else None
    if found not in (set(), files):
        raise InputError(
            f"{folder} exists already and is no report (it would hold "
            f"{' and '.join(sorted(files))} alone); choose another name"
        )


def write_report(folder: Path, evaluation: Evaluation) -> None:
    """Write the page and its figures; an older report is replaced when the new one is whole.

    Raises:
        MissingError: When a package of the report extra is missing.
        InputError: When the folder is no report, or the disk does not take it.
    """
    check_report(folder)
    from birdfield.report.page import build_page

    page = build_page(evaluation)
    with new_folder(folder, force=True) as draft:
        # A file name may be bytes that are no text.
        (draft / PAGE).write_bytes(page.encode(errors="backslashreplace"))
        (draft / FIGURES).write_text(json.dumps(evaluation.figures, indent=1))
