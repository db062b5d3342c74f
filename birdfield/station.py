"""The commands of the field station: its journal, seen, exported and scored again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.errors import UsageError

if TYPE_CHECKING:
    from birdfield.camera import Box, Camera
    from birdfield.encoder import Encoder
    from birdfield.gallery import Gallery
    from birdfield.microphone import Microphone
    from birdfield.observation import Observation
    from birdfield.recorder import Recorder, Settings
    from birdfield.watch import Watch

BlankOption = Annotated[list[str] | None, typer.Option(
    metavar="X,Y,W,H", help="A part of the picture that is made black before anything looks at it; "
    "may be given again.")]
JournalOption = Annotated[Path | None, typer.Option(
    metavar="DIR", help="Record visits, with picture and sound, in this folder.")]
GapOption = Annotated[float | None, typer.Option(
    min=1, metavar="SECONDS", help="Of absence, that end a visit; else 30.")]
KeepVoicesOption = Annotated[bool, typer.Option(
    "--keep-voices", help="Keep sound although somebody speaks.")]
KeepBestOption = Annotated[int | None, typer.Option(
    min=0, metavar="N", help="Visits of each species whose picture and sound always stay; else "
    "10.")]
KeepDaysOption = Annotated[float | None, typer.Option(
    min=0, metavar="DAYS", help="Delete older pictures and sounds.")]
KeepGbOption = Annotated[float | None, typer.Option(
    min=0, metavar="GB", help="Delete the oldest beyond so much.")]
KeepFreeOption = Annotated[float | None, typer.Option(
    min=0, metavar="GB", help="Delete the oldest, or keep none, to leave so much free; else 0.5.")]
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


def settings_of(journal: Path | None, crop: "Box | None", gap_s: float | None, keep_voices: bool,
                best: int | None, days: float | None, gb: float | None,
                free_gb: float | None) -> "Settings":
    """Gather what a user chose of a journal; None is the default.

    Raises:
        UsageError: When something was chosen, and there is no journal.
    """
    from birdfield.disk import KEEP_BEST, KEEP_FREE, Retention
    from birdfield.recorder import Settings
    from birdfield.visits import GAP_S

    given = {"--gap": gap_s, "--keep-voices": keep_voices or None, "--keep-best": best,
             "--keep-days": days, "--keep-gb": gb, "--keep-free-gb": free_gb}
    stray = [option for option, value in given.items() if value is not None]
    if stray and journal is None:
        raise UsageError(f"{stray[0]} is of a journal; add --journal DIR")
    return Settings(
        GAP_S if gap_s is None else gap_s, keep_voices, crop,
        Retention(days, None if gb is None else round(gb * 1e9),
                  KEEP_FREE if free_gb is None else round(free_gb * 1e9),
                  KEEP_BEST if best is None else best))


def blanked(camera: "Camera | None", zones: list[str] | None,
            crop: "Box | None") -> "Camera | None":
    """Make zones of a camera's pictures black; raises UsageError when one is no zone."""
    from birdfield.camera import parse_crop
    from birdfield.privacy import BlankedCamera

    boxes = [parse_crop(zone, "blank") for zone in zones or []]
    return BlankedCamera(camera, boxes, crop) if camera is not None and boxes else camera


def open_recorder(folder: Path, settings: "Settings", model_id: str, encoder: "Encoder",
                  gallery: "Gallery", camera: "Camera | None",
                  microphone: "Microphone | None") -> "Recorder":
    """Open a journal for a scene that is about to be watched."""
    from birdfield.journal import open_journal
    from birdfield.recorder import Recorder

    live = any(source.live for source in (camera, microphone) if source is not None)
    recorder = Recorder(open_journal(folder), encoder, gallery, model_id, settings, live)
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
