"""Container: the Dockerfile and its context."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_container_has_its_sources_and_does_not_run_as_root() -> None:
    """Each source of COPY exists and passes .dockerignore; hadolint checks the rest."""
    text = (ROOT / "Dockerfile").read_text()
    passed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    sources = {
        word
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert sources == passed and all((ROOT / name).exists() for name in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.partition("/")[0] for package in packages} <= sources
    (user,) = (line.split()[1] for line in text.splitlines() if line.startswith("USER "))
    assert user.isdecimal() and int(user) > 0
    assert text.index("USER ") < text.index("ENTRYPOINT") and "HEALTHCHECK" in text
