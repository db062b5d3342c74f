"""Debug bundle: a ZIP file for a bug report, without pictures or sounds."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from birdfield.atomic import write_file
from birdfield.doctor.findings import Finding
from birdfield.doctor.software import packages
from birdfield.errors import BirdfieldError
from birdfield.journal.listing import events_csv
from birdfield.journal.opening import reading
from birdfield.journal.queries import events_of

MAX_EVENTS = 1000  # the newest
TABLES = ("sessions", "visits", "evidence", "embeddings", "events")


def collect_texts(
    findings: Sequence[Finding], configuration: str, journal: Path | None
) -> dict[str, str]:
    """Return the texts of a bundle by file name.

    Args:
        findings: The findings.
        configuration: The configuration without passwords.
        journal: The folder of the journal, or None.
    """
    texts = {
        "doctor.json": json.dumps([each.to_json() for each in findings], indent=1),
        "packages.txt": packages(),
        "birdfield.toml": configuration,
    }
    for name, path in (("cpuinfo.txt", "/proc/cpuinfo"), ("meminfo.txt", "/proc/meminfo")):
        try:
            texts[name] = Path(path).read_text(errors="replace")
        except OSError as error:
            texts[name] = str(error)
    if journal is not None:
        texts.update(_journal_texts(journal))
    return texts


def _journal_texts(folder: Path) -> dict[str, str]:
    """Return the row counts and the events of a journal, without its visits."""
    try:
        with reading(folder) as journal:
            events = list(events_of(journal, None, None, MAX_EVENTS))
            counts = {
                table: journal.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in TABLES
            }
            fault = journal.database.execute("PRAGMA quick_check").fetchone()[0]
    except BirdfieldError as error:
        return {"journal.json": json.dumps({"error": str(error)})}
    return {
        "journal.json": json.dumps({"rows": counts, "quick_check": fault}),
        "events.csv": events_csv(events),
    }


def write_bundle(path: Path, texts: Mapping[str, str]) -> None:
    """Write texts as a ZIP file that only its owner can read.

    Raises:
        InputError: When the file cannot be written.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in texts.items():
            bundle.writestr(name, text)
    write_file(path, stream.getvalue(), mode=0o600)
