"""Tests of the documents: the commands, options, files and links that they name exist.

After sqlite-utils' test_docs.py.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from birdfield import __version__
from birdfield.commands.app import app

ROOT = Path(__file__).parents[1]
COMMANDS_PAGE = ROOT / "docs" / "guide" / "commands.md"
PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [
    *PAGES,
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "NOTICE",
    "Makefile",
]
BIRDFIELD: Any = typer.main.get_command(app)  # Typer may bring a click of its own
COMMANDS = sorted(BIRDFIELD.commands)
PATH = re.compile(
    r"(?<![\w/.-])(?:birdfield|train|export|tools|tests|experiments|docs)/[\w/.-]*\.[a-z]\w*"
)
EXTERNAL = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\shref=["']?(?:https?:)?//"""
    r"""|@import|url\(["']?(?:https?:)?//"""
)


def command_lines(page: str) -> Iterator[list[str]]:
    """Yield the words of each line in a fenced block that runs birdfield."""
    for block in re.findall(r"^```\w*\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S):
        for line in re.findall(r"^(?:sudo )?(birdfield .*)", block, re.M):
            yield shlex.split(line, comments=True)


def parse(words: Sequence[str]) -> None:
    """Assert that a command line names existing commands and options, with their arguments."""
    command, rest = BIRDFIELD, list(words[1:])
    while True:
        parser = command.make_parser(command.context_class(command))
        values, rest, _ = parser.parse_args(rest)
        required = [each.name for each in command.params if each.required]
        missing = [name for name in required if not isinstance(values.get(name), str | tuple)]
        assert not missing, f"{words}: no {missing}"
        if not hasattr(command, "commands"):
            assert not rest, f"{words}: too many arguments"
            return
        assert rest and rest[0] in command.commands, f"{words}: no such command"
        command, rest = command.commands[rest[0]], rest[1:]


def options_of(command: Any) -> set[str]:
    """Return the options of a command and of its subcommands."""
    own = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    return own.union(*map(options_of, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", DOCUMENTS)
def test_each_command_line_parses(page: str) -> None:
    for words in command_lines(page):
        parse(words)


@pytest.mark.parametrize(
    "line",
    [
        "birdfield recognise bird.jpg",
        "birdfield identify --picture bird.jpg",
        "birdfield export run",
        "birdfield config view",
        "birdfield status now",
    ],
)
def test_a_wrong_command_line_does_not_parse(line: str) -> None:
    """An unknown command, an unknown option, no -o, an unknown subcommand, an extra argument."""
    with pytest.raises(Exception, match="."):
        parse(line.split())


def test_the_guide_has_command_lines() -> None:
    assert len([words for page in PAGES for words in command_lines(page)]) > 30


@pytest.mark.parametrize("page", PAGES)
def test_each_command_in_the_text_exists_with_its_options(page: str) -> None:
    for span in re.findall(r"`birdfield ([^`]*)`", (ROOT / page).read_text()):
        name, options = span.split()[0], set(re.findall(r"(?<!\S)--[a-z-]+", span))
        if not name.isupper() and not name.startswith("-"):
            assert options <= options_of(BIRDFIELD.commands[name]), span


@pytest.mark.parametrize("page", DOCUMENTS)
def test_each_file_in_the_text_exists(page: str) -> None:
    for name in PATH.findall((ROOT / page).read_text()):
        assert (ROOT / name).exists(), name


def test_the_site_builds_strictly_and_loads_nothing_from_the_network(tmp_path: Path) -> None:
    """Its own links are relative; a mermaid diagram would load a script."""
    pytest.importorskip("material", reason="mkdocs-material is not installed: group docs")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    texts = {
        path.relative_to(tmp_path): path.read_text(encoding="utf-8")
        for path in tmp_path.rglob("*")
        if path.suffix in (".html", ".css")
    }
    assert Path("guide/station/index.html") in texts
    assert not [name for name, text in texts.items() if EXTERNAL.search(text)]
    assert not [name for name, text in texts.items() if 'class="mermaid"' in text]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_and_a_line_in_the_guide(name: str) -> None:
    assert BIRDFIELD.commands[name].help
    assert re.search(rf"^\| `birdfield {name}\b", COMMANDS_PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_in_the_guides_line_exists(name: str) -> None:
    line = re.search(rf"^\| `birdfield {name}\b.*", COMMANDS_PAGE.read_text(), re.MULTILINE)
    assert line
    assert set(re.findall(r"--[a-z-]+", line[0])) <= options_of(BIRDFIELD.commands[name])


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
