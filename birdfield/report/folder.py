"""Report folder: holds a page and its figures, and appears when both are complete."""

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from birdfield.atomic import check_folder_writable, new_folder
from birdfield.errors import InputError, MissingError
from birdfield.report.evaluation import Evaluation

PACKAGES = {"sklearn": "scikit-learn"}  # packages by the names of their modules
NEEDED = ("jinja2", "matplotlib", "sklearn", "threadpoolctl")
PAGE, FIGURES = "index.html", "report.json"


def check_report(folder: Path) -> None:
    """Check, before the evaluation, that a report can be written to a folder.

    Raises:
        MissingError: When a package of the `report` extra is missing.
        InputError: When the folder holds anything but an older report.
    """
    check_folder(folder, NEEDED, {PAGE, FIGURES})


def pip_command() -> str:
    """Return the pip that installs for this Python, such as ~/birdfield/bin/pip on Debian."""
    if sys.prefix == sys.base_prefix:
        return f"{Path(sys.executable).name} -m pip"
    pip, home = Path(sys.prefix) / "bin" / "pip", Path.home()
    return f"~/{pip.relative_to(home)}" if pip.is_relative_to(home) else str(pip)


def check_folder(folder: Path, needed: Sequence[str], files: set[str]) -> None:
    """Check that packages are installed, and that a folder is missing, empty, or a report.

    Args:
        folder: The folder.
        needed: The packages.
        files: The names of all files of a report.

    Raises:
        MissingError: When a package is missing.
        InputError: When the folder holds anything else, or cannot be created or replaced.
    """
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"{', '.join(missing)} is not installed; a report needs it: "
            f"{pip_command()} install {' '.join(PACKAGES.get(name, name) for name in missing)}"
        )
    check_folder_writable(folder)
    if not folder.exists():
        return
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else None
    if found not in (set(), files):
        raise InputError(
            f"{folder} exists already and is not a report (a report holds only "
            f"{' and '.join(sorted(files))}); choose another name"
        )


def write_report(folder: Path, evaluation: Evaluation) -> None:
    """Write the page and its figures; replace an older report when the new one is complete.

    Raises:
        MissingError: When a package of the `report` extra is missing.
        InputError: When the folder is not a report, or cannot be written.
    """
    check_report(folder)
    from birdfield.report.page import build_page

    page = build_page(evaluation)
    with new_folder(folder, force=True) as draft:
        # A file name may contain bytes that are not UTF-8.
        (draft / PAGE).write_bytes(page.encode(errors="backslashreplace"))
        (draft / FIGURES).write_text(json.dumps(evaluation.figures.to_json(), indent=1))
