"""Documents: what they name exists (after sqlite-utils' test_docs.py)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from birdfield import __version__
from birdfield.commands.app import app

ROOT = Path(__file__).parents[1]
COMMANDS_PAGE = ROOT / "docs" / "guide" / "commands.md"
PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
COMMAND = typer.main.get_command(app)
COMMANDS = sorted(getattr(COMMAND, "commands"))  # noqa: B009  (a group, whatever Typer calls it)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_and_a_line_in_the_guide(name: str) -> None:
    assert getattr(COMMAND, "commands")[name].help  # noqa: B009
    assert re.search(rf"^\| `birdfield {name}\b", COMMANDS_PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_in_the_guides_line_exists(name: str) -> None:
    line = re.search(rf"^\| `birdfield {name}\b.*", COMMANDS_PAGE.read_text(), re.MULTILINE)
    assert line
    options = {
        option
        for parameter in getattr(COMMAND, "commands")[name].params  # noqa: B009
        for option in parameter.opts
    }
    assert set(re.findall(r"--[a-z-]+", line[0])) <= options


@pytest.mark.parametrize("page", PAGES)
def test_each_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_each_wheel_has_todays_version(page: str) -> None:
    named = re.findall(r"birdfield-(\d[\w.]*)-py3-none-any\.whl", (ROOT / page).read_text())
    assert set(named) <= {__version__}


def test_the_architecture_lists_the_modules_as_they_are() -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "file_tables.py", "--check"], check=True)


def test_each_decision_names_its_command_and_files() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert records
    for record in records:
        text = record.read_text()
        named = re.findall(r"experiments/\d{4}/\w+\.(?:py|csv)", text)
        commands = re.findall(r"`(?:birdfield|make) ", text)
        assert named or commands, f"{record.name} names no command"
        assert all((ROOT / name).exists() for name in named), record.name


def test_each_experiment_belongs_to_a_decision() -> None:
    records = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert {path.name for path in (ROOT / "experiments").iterdir()} <= records


def test_the_readme_has_at_most_900_words() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900
