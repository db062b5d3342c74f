"""A file for a bug report: what the doctor found and what happened, without picture or sound."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from birdfield.atomic import write_file
from birdfield.doctor.findings import Finding
from birdfield.doctor.machine import packages
from birdfield.errors import BirdfieldError
from birdfield.journal.listing import events_csv
from birdfield.journal.opening import reading
from birdfield.journal.queries import events_of

EVENTS = 1000  # the newest


def gather(findings: Sequence[Finding], configuration: str, journal: Path | None) -> dict[str, str]:
    """Collect the texts of a bundle, by their names.

    Args:
        findings: Of the doctor.
        configuration: As `config show` prints it: without passwords.
        journal: Its folder, or None.
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
        texts.update(_of_journal(journal))
    return texts


def _of_journal(folder: Path) -> dict[str, str]:
    """Tell of a journal how much is in it and what happened; never which bird came when."""
    try:
        with reading(folder) as journal:
            events = list(events_of(journal, None, None, EVENTS))
            counts = {
                table: journal.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("sessions", "visits", "evidence", "embeddings", "events")
            }
            fault = journal.database.execute("PRAGMA quick_check").fetchone()[0]
    except BirdfieldError as error:
        return {"journal.json": json.dumps({"error": str(error)})}
    return {
        "journal.json": json.dumps({"rows": counts, "quick_check": fault}),
        "events.csv": events_csv(events),
    }


def write_bundle(path: Path, texts: Mapping[str, str]) -> None:
    """Write texts as a ZIP file for its owner; raises InputError when that does not work."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in texts.items():
            bundle.writestr(name, text)
    write_file(path, stream.getvalue(), mode=0o600)
