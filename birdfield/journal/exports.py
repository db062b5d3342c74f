"""A journal's visits in the forms that other programs read."""

import csv
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from birdfield.errors import InputError, MissingError, UsageError, shorten_list
from birdfield.journal.queries import visits_csv
from birdfield.model.names import Names
from birdfield.settings.place import Location, LocationMissingError

RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Species",
    "Score",
    "Begin Date Time",
)
NYQUIST_HZ = 8000  # Raven wants a band: what YAMNet hears
PROTOCOL = "Incidental"  # nobody stood there and counted: eBird's word for that

Visit = Mapping[str, Any]


def with_scientific(visits: Sequence[Visit], names: Names) -> list[Visit]:
    """Give visits the scientific names that the model had not, as of enrolled species."""
    return [
        {**visit, "scientific": visit["scientific"] or names.scientific(visit["species"] or "")}
        for visit in visits
    ]


def to_ebird(visits: Sequence[Visit], location: Location | None) -> bytes:
    """Write eBird's record format: 19 columns without a header, a row a species and day.

    Visits of one species on one day are one record, from the first: eBird wants no more. How many
    birds came cannot be told from visits, so the number is X, present.

    Raises:
        LocationMissingError: When there is no location.
        InputError: When a species has no scientific name.
    """
    if location is None:
        raise LocationMissingError(
            "eBird needs the location of the station; set place.location in birdfield.toml"
        )
    named = [visit for visit in visits if visit["species"] is not None]
    nameless = sorted({visit["species"] for visit in named if not visit["scientific"]})
    if nameless:
        raise InputError(
            f"eBird wants scientific names, and there is none of "
            f"{shorten_list(nameless)}; set names.file in birdfield.toml to a CSV with "
            "label,scientific,lang,name"
        )
    days: dict[tuple[str, Any], list[Visit]] = {}
    for visit in named:
        day = datetime.fromisoformat(visit["started"]).date()
        days.setdefault((visit["scientific"], day), []).append(visit)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    for together in days.values():
        writer.writerow(_ebird_row(together, location))
    return stream.getvalue().encode()


def _ebird_row(visits: Sequence[Visit], location: Location) -> list[Any]:
    first = visits[0]
    started = datetime.fromisoformat(first["started"])
    genus, _, epithet = first["scientific"].partition(" ")
    best = max(visit["score"] for visit in visits)
    comment = f"birdfield: visits {len(visits)}; best score {best:.2f}; by machine"
    return [
        first["species"],
        genus,
        epithet,
        "X",
        comment,
        location.name,
        f"{location.latitude:.6f}",
        f"{location.longitude:.6f}",
        f"{started:%m/%d/%Y}",
        f"{started:%H:%M}",
        "",
        "",
        PROTOCOL,
        1,
        "",
        "N",
        "",
        "",
        "",
    ]


def to_raven(visits: Sequence[Visit]) -> bytes:
    """Write a Raven selection table; times are seconds since the session began.

    Raises:
        InputError: When the visits are of several sessions.
    """
    _one_session(visits)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(RAVEN_COLUMNS)
    for number, visit in enumerate(visits, 1):
        writer.writerow(
            [
                number,
                "Spectrogram 1",
                1,
                f"{visit['start_s']:.3f}",
                f"{visit['end_s']:.3f}",
                0,
                NYQUIST_HZ,
                _label(visit),
                visit["score"],
                visit["started"],
            ]
        )
    return stream.getvalue().encode()


def to_audacity(visits: Sequence[Visit]) -> bytes:
    """Write Audacity's labels; times are seconds since the session began.

    Raises:
        InputError: When the visits are of several sessions.
    """
    _one_session(visits)
    return "".join(
        f"{visit['start_s']:.6f}\t{visit['end_s']:.6f}\t{_label(visit)}\n" for visit in visits
    ).encode()


def _label(visit: Visit) -> str:
    return str(visit["species"] or "undecided")


def _one_session(visits: Sequence[Visit]) -> None:
    sessions = sorted({visit["session"] for visit in visits})
    if len(sessions) > 1:
        raise InputError(
            f"these visits are of sessions {sessions[0]} to {sessions[-1]}, whose "
            "seconds each begin at 0; choose one with --session"
        )


def to_parquet(visits: Sequence[Visit]) -> bytes:
    """Write an Apache Parquet table with the columns of the CSV.

    Raises:
        MissingError: When pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingError(
            "Parquet needs the package pyarrow; run: pip install 'birdfield[parquet]'"
        )
    import pyarrow
    import pyarrow.parquet

    stamp = pyarrow.timestamp("ms", tz="UTC")
    texts = (
        "species",
        "scientific",
        "first_species",
        "senses",
        "agreement",
        "picture",
        "sound",
        "sonogram",
        "model",
        "mark",
    )
    candidate = pyarrow.struct([("species", pyarrow.string()), ("share", pyarrow.float64())])
    numbers = ("score", "clock_shift_s", "start_s", "end_s")
    schema = pyarrow.schema(
        [
            ("id", pyarrow.int64()),
            ("session", pyarrow.int64()),
            ("started", stamp),
            ("ended", stamp),
            ("windows", pyarrow.int64()),
            *((name, pyarrow.string()) for name in texts),
            *((name, pyarrow.float64()) for name in numbers),
            ("candidates", pyarrow.list_(candidate)),
        ]
    )
    rows = [
        {
            name: (
                datetime.fromisoformat(visit[name]) if name in ("started", "ended") else visit[name]
            )
            for name in schema.names
        }
        for visit in visits
    ]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), sink)
    return sink.getvalue()


def to_csv(visits: Sequence[Visit]) -> bytes:
    """Write CSV with a header, as `birdfield visits --csv` does."""
    return visits_csv(visits).encode()


FORMATS: Mapping[str, Callable[[Sequence[Visit], Location | None], bytes]] = {
    "csv": lambda visits, _: to_csv(visits),
    "ebird": to_ebird,
    "raven": lambda visits, _: to_raven(visits),
    "audacity": lambda visits, _: to_audacity(visits),
    "parquet": lambda visits, _: to_parquet(visits),
}


def export_visits(visits: Sequence[Visit], form: str, location: Location | None, out: Path) -> None:
    """Write visits to a file in one of FORMATS.

    Raises:
        UsageError: When there is no such format, or it lacks a location.
        InputError: When the visits do not fit the format, or the file cannot be written.
        MissingError: When the format's package is not installed.
    """
    from birdfield.atomic import write_file

    write_file(out, FORMATS[form](visits, location))


def check_format(form: str) -> None:
    """Refuse a format that there is not."""
    if form not in FORMATS:
        raise UsageError(f"format is {form!r}; expected one of {', '.join(FORMATS)}")
