"""What is written must name what there is (after sqlite-utils' test_docs.py)."""

import re
from pathlib import Path

import pytest
import typer

from birdfield.commands.app import app

ROOT = Path(__file__).parents[1]
COMMAND = typer.main.get_command(app)
COMMANDS = sorted(getattr(COMMAND, "commands"))  # noqa: B009  (a group, whatever Typer calls it)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_and_a_line_in_the_readme(name: str) -> None:
    assert getattr(COMMAND, "commands")[name].help  # noqa: B009
    assert re.search(rf"^\| `birdfield {name}\b", (ROOT / "README.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_in_the_readmes_line_exists(name: str) -> None:
    line = re.search(rf"^\| `birdfield {name}\b.*", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line
    options = {
        option
        for parameter in getattr(COMMAND, "commands")[name].params  # noqa: B009
        for option in parameter.opts
    }
    assert set(re.findall(r"--[a-z-]+", line[0])) <= options


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_each_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_architecture_names_each_file_of_the_runtime() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    unnamed = [
        path.name
        for path in (ROOT / "birdfield").glob("*.py")
        if path.name not in text and path.name not in ("__init__.py", "config.py", "errors.py")
    ]
    assert not unnamed


def test_each_decision_has_its_evidence_beside_it() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    for record in records:
        named = re.findall(r"`(\d{4}_\w+\.(?:py|csv))", record.read_text())
        commands = re.findall(r"`(?:birdfield|make) ", record.read_text())
        assert named or commands, f"{record.name} names no command"
        assert all((record.parent / name).exists() for name in named)
