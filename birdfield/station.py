"""The commands of the field station: its journal, seen, exported and scored again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from birdfield.bundle import Bundle
    from birdfield.camera import Box, Camera
    from birdfield.encoder import Encoder
    from birdfield.gallery import Gallery
    from birdfield.microphone import Microphone
    from birdfield.observation import Observation
    from birdfield.recorder import Recorder
    from birdfield.watch import Watch

JournalArgument = Annotated[Path, typer.Argument(metavar="JOURNAL", help="The folder that watch "
                                                 "--journal writes.")]
SpeciesOption = Annotated[str | None, typer.Option(help="Of this species only; undecided for "
                                                   "conflicting evidence.")]
SinceOption = Annotated[str | None, typer.Option(metavar="TIME", help="From then on, such as "
                                                 "2026-05-01 or 2026-05-01T06:30, local time.")]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")]


def visits(
    journal: JournalArgument,
    species: SpeciesOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    last: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    events: Annotated[bool, typer.Option("--events", help="What happened to the station, in place "
                                         "of visits.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write them to a CSV file too.")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")] = False,
) -> None:
    """List the visits, or the events, of a journal."""
    from birdfield.journal import read_journal
    from birdfield.visit_rows import (
        Selection,
        event_line,
        events_of,
        parse_time,
        visit_line,
        visits_csv,
        visits_of,
    )

    from_time, to_time = parse_time(since, "--since"), parse_time(until, "--until")
    opened = read_journal(journal)
    rows = (events_of(opened, from_time, to_time) if events else
            visits_of(opened, Selection(species, from_time, to_time, last)))
    kept = []
    for row in rows:
        line = event_line(row) if events else visit_line(row)
        print(json.dumps(row, ensure_ascii=False) if json_lines else line)
        if csv:
            kept.append(row)
    if csv:
        from birdfield.atomic import write_file

        write_file(csv, visits_csv(kept).encode())


def open_recorder(folder: Path, bundle: "Bundle", encoder: "Encoder", gallery: "Gallery",
                  camera: "Camera | None", microphone: "Microphone | None",
                  crop: "Box | None", gap_s: float | None) -> "Recorder":
    """Open a journal for a scene that is about to be watched."""
    from birdfield.journal import open_journal
    from birdfield.recorder import Recorder, Settings
    from birdfield.visits import GAP_S

    sources = [source for source in (camera, microphone) if source is not None]
    recorder = Recorder(open_journal(folder), encoder, gallery, bundle.model_id,
                        Settings(gap_s or GAP_S, crop=crop), any(source.live for source in sources))
    recorder.start(datetime.now(UTC), camera.name if camera else None,
                   microphone.name if microphone else None)
    return recorder


def recorded(scene: "Watch", recorder: "Recorder | None") -> Iterator["Observation"]:
    """Yield a scene's observations, while a recorder takes its windows."""
    try:
        for window in scene.windows():
            if recorder is not None:
                recorder.take(window)
            if window.observation is not None:
                yield window.observation
    finally:
        if recorder is not None:
            recorder.close()
