from collections.abc import Callable
from pathlib import Path

import pytest

from birdfield import paths
from birdfield.errors import InputError, UsageError
from birdfield.paths import (
    cache_home,
    check_sha256,
    data_home,
    file_sha256,
    resolve_model,
    thread_count,
)
from birdfield.settings.configuration import config_home


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a packaged starter model, which does not exist yet."""
    monkeypatch.setattr(paths, "STARTER", tmp_path / "starter")
    return tmp_path / "starter"


def test_the_model_is_the_option_then_the_environment_then_the_starter(
    starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter.mkdir()
    (starter / "manifest.json").touch()
    assert resolve_model(None) == starter
    monkeypatch.setenv("BIRDFIELD_MODEL", "/somewhere/b.birdfield")
    assert resolve_model(None) == Path("/somewhere/b.birdfield")
    assert resolve_model(Path("a.birdfield")) == Path("a.birdfield")


def test_starter_names_the_packaged_model_unless_such_a_folder_exists(
    starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert resolve_model(Path("starter")) == Path("starter")  # there is no packaged model
    starter.mkdir()
    (starter / "manifest.json").touch()
    assert resolve_model(Path("starter")) == starter
    (tmp_path / "here" / "starter").mkdir()
    assert resolve_model(Path("starter")) == Path("starter")


@pytest.mark.usefixtures("starter")
@pytest.mark.parametrize("value", [None, ""])
def test_the_error_without_a_model_names_all_three_ways(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("BIRDFIELD_MODEL", value)
    with pytest.raises(InputError, match="name a bundle.*BIRDFIELD_MODEL.*starter"):
        resolve_model(None)


@pytest.mark.parametrize(
    ("find", "variable", "fallback"),
    [
        (data_home, "XDG_DATA_HOME", ".local/share/birdfield"),
        (cache_home, "XDG_CACHE_HOME", ".cache/birdfield"),
    ],
)
def test_folders_follow_the_xdg_variables(
    monkeypatch: pytest.MonkeyPatch, find: object, variable: str, fallback: str
) -> None:
    assert callable(find)
    monkeypatch.setenv("HOME", "/home/bird")
    monkeypatch.setenv(variable, "/elsewhere")
    assert find() == Path("/elsewhere/birdfield")
    monkeypatch.setenv(variable, "")
    assert find() == Path("/home/bird") / fallback


@pytest.mark.parametrize(
    ("find", "variable"),
    [
        (config_home, "XDG_CONFIG_HOME"),
        (data_home, "XDG_DATA_HOME"),
        (cache_home, "XDG_CACHE_HOME"),
    ],
)
def test_a_user_without_a_home_folder_gets_an_error(
    monkeypatch: pytest.MonkeyPatch, find: Callable[[], Path], variable: str
) -> None:
    """A container may run as a user that has a number and no entry in the user database."""
    for name in ("HOME", variable):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    with pytest.raises(UsageError, match=f"no home folder; set HOME, or {variable}"):
        find()


def test_the_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    """The SHA-256 of "abc" is the first example of FIPS 180-4."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == expected
    check_sha256(tmp_path / "abc", expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"abd",
            "abc: SHA-256 is a52d159f262b..., expected ba7816bf8f01...; install birdfield again",
        ),
        (None, "abc: cannot be read .No such file or directory.; install birdfield again"),
    ],
)
def test_a_packaged_file_that_changed_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content:
        (tmp_path / "abc").write_bytes(content)
    with pytest.raises(InputError, match=words):
        check_sha256(
            tmp_path / "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )


@pytest.mark.parametrize("text", ["0", "-1", "two", "257", "100000", "9" * 5000])
def test_an_invalid_number_of_threads_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIRDFIELD_THREADS", text)
    with pytest.raises(UsageError, match="expected a number from 1 to 256"):
        thread_count()
