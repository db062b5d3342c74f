"""Exports: a journal's visits in the formats that other programs read."""

import csv
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from birdfield.errors import (
    InputError,
    LocationMissingError,
    MissingError,
    UsageError,
    shorten_list,
)
from birdfield.journal.listing import visits_csv
from birdfield.journal.records import UNDECIDED, VisitRecord
from birdfield.model.names import Names
from birdfield.settings.place import Location

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
NYQUIST_HZ = 8000  # the upper end of what YAMNet hears: Raven needs a band
PROTOCOL = "Incidental"  # eBird's word for records without an observer who counts


class MixedSessionsError(InputError):
    """Visits of several sessions, for a format that has one scale of time."""


def with_scientific(visits: Sequence[VisitRecord], names: Names) -> list[VisitRecord]:
    """Return visits with scientific names that the model lacks, such as of enrolled species."""
    return [
        replace(visit, scientific=visit.scientific or names.scientific(visit.species or ""))
        for visit in visits
    ]


def to_ebird(visits: Sequence[VisitRecord], location: Location | None) -> bytes:
    """Return visits in eBird's record format: 19 columns without a header.

    The visits of one species on one day are one record, as eBird asks for. Its count is X,
    present, because several visits may be of one bird.

    Raises:
        LocationMissingError: If there is no location.
        InputError: If a species has no scientific name.
    """
    if location is None:
        raise LocationMissingError(
            "eBird needs the location of the station; set place.location in birdfield.toml"
        )
    records: dict[tuple[str, date], list[VisitRecord]] = {}
    nameless: set[str] = set()
    for visit in visits:
        if visit.species is None:
            continue
        if visit.scientific:
            day = visit.started.date()
            records.setdefault((visit.scientific, day), []).append(visit)
        else:
            nameless.add(visit.species)
    if nameless:
        raise InputError(
            f"eBird needs scientific names, and {shorten_list(sorted(nameless))} has none; set "
            "names.file in birdfield.toml to a CSV with the columns label,scientific,lang,name"
        )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    for (scientific, _), together in records.items():
        writer.writerow(_ebird_row(together, scientific, location))
    return stream.getvalue().encode()


def _ebird_row(
    visits: Sequence[VisitRecord], scientific: str, location: Location
) -> list[str | int | None]:
    first = visits[0]
    genus, _, epithet = scientific.partition(" ")
    best = max(visit.score for visit in visits)
    return [
        first.species,
        genus,
        epithet,
        "X",  # count
        f"birdfield: visits {len(visits)}; best score {best:.2f}; by machine",  # comment
        location.name,
        f"{location.latitude:.6f}",
        f"{location.longitude:.6f}",
        f"{first.started:%m/%d/%Y}",
        f"{first.started:%H:%M}",
        "",  # state
        "",  # country
        PROTOCOL,
        1,  # number of observers
        "",  # duration
        "N",  # all observations reported
        "",  # distance covered
        "",  # area covered
        "",  # comment on the checklist
    ]


def to_raven(visits: Sequence[VisitRecord]) -> bytes:
    """Return visits as a Raven selection table, in seconds since the session began.

    Raises:
        MixedSessionsError: If the visits are of several sessions.
    """
    _check_one_session(visits)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(RAVEN_COLUMNS)
    for number, visit in enumerate(visits, 1):
        writer.writerow(
            [
                number,
                "Spectrogram 1",
                1,
                f"{visit.start_s:.3f}",
                f"{visit.end_s:.3f}",
                0,
                NYQUIST_HZ,
                _label(visit),
                visit.score,
                visit.started.isoformat(timespec="milliseconds"),
            ]
        )
    return stream.getvalue().encode()


def to_audacity(visits: Sequence[VisitRecord]) -> bytes:
    """Return visits as Audacity labels, in seconds since the session began.

    Raises:
        MixedSessionsError: If the visits are of several sessions.
    """
    _check_one_session(visits)
    return "".join(
        f"{visit.start_s:.6f}\t{visit.end_s:.6f}\t{_label(visit)}\n" for visit in visits
    ).encode()


def _label(visit: VisitRecord) -> str:
    return visit.species or UNDECIDED


def _check_one_session(visits: Sequence[VisitRecord]) -> None:
    sessions = sorted({visit.session for visit in visits})
    if len(sessions) > 1:
        raise MixedSessionsError(
            f"these visits are of sessions {sessions[0]} to {sessions[-1]}, in each of which "
            "seconds count from 0; choose one session"
        )


def to_parquet(visits: Sequence[VisitRecord]) -> bytes:
    """Return visits as an Apache Parquet table with the columns of the CSV.

    Raises:
        MissingError: If pyarrow is not installed.
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
    numbers = ("score", "clock_shift_s", "start_s", "end_s")
    candidate = pyarrow.struct([("species", pyarrow.string()), ("share", pyarrow.float64())])
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
    rows = [{**visit.to_json(), "started": visit.started, "ended": visit.ended} for visit in visits]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), sink)
    return sink.getvalue()


def to_csv(visits: Sequence[VisitRecord]) -> bytes:
    """Return visits as CSV with a header, as in the listing of a journal."""
    return visits_csv(visits).encode()


FORMATS: Mapping[str, Callable[[Sequence[VisitRecord], Location | None], bytes]] = {
    "csv": lambda visits, _: to_csv(visits),
    "ebird": to_ebird,
    "raven": lambda visits, _: to_raven(visits),
    "audacity": lambda visits, _: to_audacity(visits),
    "parquet": lambda visits, _: to_parquet(visits),
}


def export_visits(
    visits: Sequence[VisitRecord], form: str, location: Location | None, out: Path
) -> None:
    """Write visits to a file.

    Args:
        visits: The visits.
        form: One of FORMATS.
        location: The location of the station, which eBird needs.
        out: The file.

    Raises:
        LocationMissingError: If the format needs a location, and there is none.
        InputError: If the visits do not fit the format, or the file cannot be written.
        MissingError: If the package of the format is not installed.
    """
    from birdfield.atomic import write_file

    write_file(out, FORMATS[form](visits, location))


def check_format(form: str) -> None:
    """Refuse an unknown format.

    Raises:
        UsageError: If the format is not one of FORMATS.
    """
    if form not in FORMATS:
        raise UsageError(f"format is {form!r}; expected one of {', '.join(FORMATS)}")
