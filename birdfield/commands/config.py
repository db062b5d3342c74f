"""Commands `config`: write, check and show the configuration file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.options import CONFIG_FILE
from birdfield.errors import ExistsError, NoConfigError

if TYPE_CHECKING:
    from birdfield.settings.configuration import StationConfig

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write, check or show the configuration file.",
)

# What holds where a key without a default is not set.
UNSET = {
    "watch.model": "that of BIRDFIELD_MODEL, else the starter model",
    "watch.crop": "the whole picture",
    "watch.blank": "nothing",
    "journal.folder": "none, visits are not recorded",
    "journal.keep_days": "no limit",
    "journal.keep_gb": "no limit",
    "place.location": "unknown",
    "names.file": "none, the names are those of the model",
    "names.lang": "none, species are shown by their labels",
    "quiet.hours": "never",
    "species.checklist": "none, every species is expected",
}

FileArgument = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help=f"The file; default: {CONFIG_FILE}."),
]


@app.command()
def init(
    file: FileArgument = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a configuration file with all keys.

    Only its owner can read it.
    """
    from birdfield.atomic import to_input_error, write_file
    from birdfield.settings.configuration import FILE, TEMPLATE, config_home

    path = file or config_home() / FILE
    if path.exists() and not force:
        raise ExistsError(f"{path} exists already; choose another name")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise to_input_error(path.parent, error) from error
    write_file(path, TEMPLATE.read_bytes(), mode=0o600)
    print(path)


@app.command()
def check(file: FileArgument = None) -> None:
    """Check a configuration file and the files it names.

    watch makes the same check. Devices and addresses are for birdfield doctor to check.
    """
    from birdfield.commands.station_check import check_station
    from birdfield.settings.configuration import load_config
    from birdfield.settings.resolve import ResolvedSettings

    config = load_config(_existing(file))
    bundle, _, gallery = check_station(ResolvedSettings(config, {}))
    print(f"{config.path}: no errors; model {bundle.model_id}, {len(gallery.species)} species")


@app.command()
def show(file: FileArgument = None) -> None:
    """Show all settings and where each comes from.

    Passwords are hidden.
    """
    from birdfield.settings.configuration import find_config, load_config

    for line in lines_of(load_config(find_config(file))):
        print(line)


def lines_of(config: "StationConfig", place: bool = True) -> Iterator[str]:
    """Yield the lines of a configuration, with the origin of each value.

    Args:
        config: The configuration.
        place: Whether to include the location.
    """
    from birdfield.settings.schema import KEYS, value_of

    table = ""
    for name, key in KEYS.items():
        if name.partition(".")[0] != table:
            table = name.partition(".")[0]
            yield f"[{table}]"
        line = config.lines.get(tuple(name.split(".")))
        origin = f"line {line}" if name in config.keys else "default"
        setting, own = value_of(config.settings, name), name.partition(".")[2]
        if setting is None:
            yield f"# {own}: {UNSET[name]}  # {origin}"
        elif table == "place" and not place:
            yield f"# {own} = ...  # {origin}"
        else:
            yield f"{own} = {shown(key.write(setting))}  # {origin}"


def shown(value: object) -> str | None:
    """Return a value in TOML, without passwords; None for None."""
    from birdfield.redaction import mask_url

    if value is None:
        return None
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{_quoted(name)} = {shown(inner)}" for name, inner in value.items())
            + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(str(shown(inner)) for inner in value) + "]"
    if isinstance(value, (str, Path)):
        return _quoted(mask_url(str(value)))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _existing(file: Path | None) -> Path:
    from birdfield.settings.configuration import FILE, config_home, find_config

    path = find_config(file)
    if path is None:
        raise NoConfigError(f"{config_home() / FILE}: no such file")
    return path
