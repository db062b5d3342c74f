"""Exports: a journal's visits in the formats that other programs read, written row by row."""

import csv
import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

from birdfield.atomic import write_file, writing_file
from birdfield.errors import InputError, MissingError, UsageError
from birdfield.journal.ebird import ebird_files
from birdfield.journal.listing import write_visits_csv
from birdfield.journal.records import UNDECIDED, VisitRecord
from birdfield.model.names import Names
from birdfield.recognise.observation import escape_formula
from birdfield.recognise.tally import RAVEN_COLUMNS
from birdfield.settings.place import Location

NYQUIST_HZ = 8000  # the upper end of what YAMNet hears: Raven needs a band
ROW_GROUP = 10_000  # visits of a Parquet table that are in memory at a time


class MixedSessionsError(InputError):
    """Visits of several sessions, for a format that has one scale of time."""


def with_scientific(visits: Iterable[VisitRecord], names: Names) -> Iterator[VisitRecord]:
    """Yield visits with scientific names that the model lacks, such as of enrolled species."""
    for visit in visits:
        scientific = visit.scientific or names.scientific(visit.species or "")
        yield visit if scientific == visit.scientific else replace(visit, scientific=scientific)


@contextmanager
def _text(stream: BinaryIO) -> Iterator[TextIO]:
    """Yield a binary stream as one of text, UTF-8, with line ends as they are written."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    yield text
    text.detach()


def to_csv(visits: Iterable[VisitRecord], stream: BinaryIO) -> None:
    """Write visits as CSV with a header, as in the listing of a journal."""
    with _text(stream) as text:
        write_visits_csv(visits, text)


def to_raven(visits: Iterable[VisitRecord], stream: BinaryIO) -> None:
    """Write visits as a Raven selection table, in seconds since the session began.

    Raises:
        MixedSessionsError: If the visits are of several sessions.
    """
    with _text(stream) as text:
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow((*RAVEN_COLUMNS, "Begin Date Time"))
        for number, visit in enumerate(_of_one_session(visits), 1):
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


def to_audacity(visits: Iterable[VisitRecord], stream: BinaryIO) -> None:
    """Write visits as Audacity labels, in seconds since the session began.

    Raises:
        MixedSessionsError: If the visits are of several sessions.
    """
    for visit in _of_one_session(visits):
        stream.write(f"{visit.start_s:.6f}\t{visit.end_s:.6f}\t{_label(visit)}\n".encode())


def _label(visit: VisitRecord) -> str:
    return escape_formula(visit.species or UNDECIDED)


def _of_one_session(visits: Iterable[VisitRecord]) -> Iterator[VisitRecord]:
    first = None
    for visit in visits:
        first = visit.session if first is None else first
        if visit.session != first:
            low, high = sorted((first, visit.session))
            raise MixedSessionsError(
                f"these visits are of sessions {low} to {high}, in each of which seconds count "
                "from 0; choose one session"
            )
        yield visit


def to_parquet(visits: Iterable[VisitRecord], stream: BinaryIO) -> None:
    """Write visits as an Apache Parquet table with the columns of the CSV.

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
    remaining = iter(visits)
    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(remaining, ROW_GROUP)):
            rows = [
                {**visit.to_json(), "started": visit.started, "ended": visit.ended}
                for visit in group
            ]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


EBIRD = "ebird"
FORMATS: Mapping[str, Callable[[Iterable[VisitRecord], BinaryIO], None]] = {
    "csv": to_csv,
    "raven": to_raven,
    "audacity": to_audacity,
    "parquet": to_parquet,
}


def export_visits(
    visits: Iterable[VisitRecord], form: str, location: Location | None, out: Path
) -> list[Path]:
    """Write visits to a file, or to several where a format limits their size.

    Args:
        visits: The visits; they are read one by one.
        form: One of FORMATS, or EBIRD.
        location: The location of the station, which eBird needs.
        out: The file; further ones have -2, -3 and so on before its suffix.

    Returns:
        The files.

    Raises:
        LocationMissingError: If the format needs a location, and there is none.
        InputError: If the visits do not fit the format, or a file cannot be written.
        MissingError: If the package of the format is not installed.
    """
    if form != EBIRD:
        with writing_file(out) as stream:
            FORMATS[form](visits, stream)
        return [out]
    paths = []
    for number, data in enumerate(ebird_files(visits, location), 1):
        path = out if number == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
        write_file(path, data)
        paths.append(path)
    return paths


def check_format(form: str) -> None:
    """Refuse an unknown format.

    Raises:
        UsageError: If the format is neither one of FORMATS nor EBIRD.
    """
    if form not in (*FORMATS, EBIRD):
        raise UsageError(
            f"format is {form!r}; expected one of csv, ebird, raven, audacity, parquet"
        )
