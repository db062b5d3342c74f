"""The commands of the field station: its journal, seen, exported and scored again."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.errors import UsageError

if TYPE_CHECKING:
    from birdfield.camera import Camera
    from birdfield.encoder import Encoder
    from birdfield.gallery import Gallery
    from birdfield.heart import Heart
    from birdfield.microphone import Microphone
    from birdfield.motion import Box
    from birdfield.names import Names
    from birdfield.observation import Observation
    from birdfield.recorder import Recorder, Settings
    from birdfield.rules import LiveRules
    from birdfield.sound_meter import MeteredMicrophone
    from birdfield.station_setup import Choice
    from birdfield.view import View
    from birdfield.watch import Watch

ConfigOption = Annotated[Path | None, typer.Option(
    "--config", metavar="FILE", help="The configuration; else birdfield/birdfield.toml below "
    "XDG_CONFIG_HOME, where it is there. Flags override it.")]
log = logging.getLogger(__name__)

LangOption = Annotated[str | None, typer.Option(
    metavar="CODE", help="Species' names in this language, with the scientific ones beside.")]
NamesOption = Annotated[Path | None, typer.Option(
    "--names", metavar="CSV", help="Names: label,scientific,lang,name; else the model's.")]
BlankOption = Annotated[list[str] | None, typer.Option(
    metavar="X,Y,W,H", help="A part of the picture that is made black before anything looks at it; "
    "may be given again.")]
JournalOption = Annotated[Path | None, typer.Option(
    metavar="DIR", help="Record visits, with picture and sound, in this folder.")]
GapOption = Annotated[float | None, typer.Option(
    min=1, metavar="SECONDS", help="Of absence, that end a visit; else 30.")]
QuietOption = Annotated[str | None, typer.Option(
    metavar="HH:MM-HH:MM", help="Record no visits then, local time; or night: while the sun is "
    "down at --location.")]
LocationOption = Annotated[str | None, typer.Option(
    metavar="LAT,LON", help="Where the station stands, in degrees.")]
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

OF_JOURNAL = {"--gap": "journal.gap_s", "--quiet": "quiet.hours",
              "--keep-voices": "journal.keep_voices", "--keep-best": "journal.keep_best",
              "--keep-days": "journal.keep_days", "--keep-gb": "journal.keep_gb",
              "--keep-free-gb": "journal.keep_free_gb"}


def visits(
    journal: JournalArgument,
    species: SpeciesOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    last: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    events: Annotated[bool, typer.Option("--events", help="What happened to the station, in place "
                                         "of visits.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write them to a CSV file too.")] = None,
    lang: LangOption = None,
    names_file: NamesOption = None,
    json_lines: Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")] = False,
) -> None:
    """List the visits, or the events, of a journal."""
    from birdfield.journal import read_journal
    from birdfield.visit_rows import (
        Selection,
        event_line,
        events_csv,
        events_of,
        parse_time,
        visit_line,
        visits_csv,
        visits_of,
    )

    from_time, to_time = parse_time(since, "--since"), parse_time(until, "--until")
    names, kept = names_of(lang, names_file), []
    with closing(read_journal(journal)) as opened:
        rows = (events_of(opened, from_time, to_time) if events else
                visits_of(opened, Selection(species, from_time, to_time, last)))
        for row in rows:
            line = event_line(row) if events else visit_line(row, names)
            row = row if events else names.told(row)
            print(json.dumps(row, ensure_ascii=False) if json_lines else line)
            if csv:
                kept.append(row)
    if csv:
        from birdfield.atomic import write_file

        write_file(csv, (events_csv(kept) if events else visits_csv(kept)).encode())


def names_of(lang: str | None, path: Path | None) -> "Names":
    """Find species' names: by flags, else the configuration's; the model's for want of a CSV.

    Raises:
        BirdfieldError: When a file cannot be read, or there is no such language.
    """
    from birdfield.cli import open_model
    from birdfield.names import LABELS
    from birdfield.station_config import find_config, load_config
    from birdfield.station_setup import Choice

    choice = Choice(load_config(find_config(None)), {"names.lang": lang, "names.file": path})
    if choice["names.lang"] is None:
        return LABELS
    return choice.names(() if choice["names.file"] else open_model(choice.model)[2].species)


def export_visits(
    journal: JournalArgument,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to make.")],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv, ebird, raven, "
                                      "audacity or parquet.")] = "csv",
    location: Annotated[str | None, typer.Option(metavar="LAT,LON,NAME", help="Where the station "
                                                 "stands, in degrees; eBird needs it.")] = None,
    session: Annotated[int | None, typer.Option(min=1, help="One watch only, by its "
                                                "number.")] = None,
    species: SpeciesOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
) -> None:
    """Write a journal's visits for a spreadsheet, eBird, Raven or Audacity."""
    from birdfield import export_visits as exporting
    from birdfield.journal import read_journal
    from birdfield.visit_rows import Selection, parse_time, visits_of

    exporting.check_format(form)
    place = exporting.parse_location(location) if location else None
    selection = Selection(species, parse_time(since, "--since"), parse_time(until, "--until"),
                          session=session)
    with closing(read_journal(journal)) as opened:
        rows = list(visits_of(opened, selection))
    exporting.export_visits(rows, form, place, out)
    print(f"{out}: {len(rows)} visits")


def rescore(
    journal: JournalArgument,
    model: Annotated[Path | None, typer.Option("--model", help="The bundle that the journal was "
                                               "written with, and its store as it is now.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and change nothing.")] = False,
) -> None:
    """Answer again for past visits, after species were enrolled, renamed or removed."""
    from birdfield.cli import complain, open_model
    from birdfield.journal import open_journal, read_journal
    from birdfield.rescore import check_models
    from birdfield.rescore import rescore as rescore_visits

    bundle, encoder, gallery = open_model(model)
    count = 0
    with closing(read_journal(journal)) as opened:
        for other, number in check_models(opened, bundle.model_id):
            complain(f"left alone: {number} visits of model {other}; this is {bundle.model_id}")
    with closing(read_journal(journal) if dry_run else open_journal(journal)) as opened:
        for each in rescore_visits(opened, encoder, gallery, bundle.model_id, dry_run):
            count += 1
            print(f"visit {each.visit}: {each.before or 'undecided'} -> "
                  f"{each.after or 'undecided'} {each.score:.2f}")
        if count and not dry_run:
            opened.add_events([(datetime.now(UTC), "rescored",
                                f"{count} visits have another species now")])
    print(f"{count} visits {'would have' if dry_run else 'have'} another species")


def report(
    journal: JournalArgument,
    since: SinceOption = None,
    until: UntilOption = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="DIR", help="Write a page to look "
                    "at, DIR/index.html, with pictures and sonograms.")] = None,
) -> None:
    """Show a journal at a glance: visits by hour and species, arrivals, senses."""
    from birdfield.history import gather_history
    from birdfield.history_table import to_text
    from birdfield.journal import read_journal
    from birdfield.visit_rows import parse_time

    from_time, to_time = parse_time(since, "--since"), parse_time(until, "--until")
    if html:
        from birdfield.report.history_page import check_history, write_history

        check_history(html)
    with closing(read_journal(journal)) as opened:
        history = gather_history(opened, from_time, to_time)
        if html:
            write_history(html, opened, history)
    print(html / "index.html" if html else to_text(history))


def settings_of(choice: "Choice") -> "Settings":
    """Gather what a user chose of a journal; None is the default.

    Raises:
        UsageError: When a flag is of a journal, and there is none.
    """
    from birdfield.disk import KEEP_BEST, KEEP_FREE, Retention
    from birdfield.recorder import Settings
    from birdfield.visits import GAP_S

    chosen = {option: choice.of_journal(key) for option, key in OF_JOURNAL.items()}
    stray = [option for option, value in chosen.items() if value is not None]
    if stray and choice["journal.folder"] is None:
        raise UsageError(f"{stray[0]} is of a journal; add --journal DIR")
    choice.quiet()  # made again with the model's species, but refused before it is opened
    gap_s, _, keep_voices, best, days, gb, free_gb = chosen.values()
    return Settings(
        GAP_S if gap_s is None else gap_s, bool(keep_voices),
        Retention(days, None if gb is None else round(gb * 1e9),
                  KEEP_FREE if free_gb is None else round(free_gb * 1e9),
                  KEEP_BEST if best is None else best), choice.latency)


def blanked(camera: "Camera | None", zones: list[str] | None,
            crop: "Box | None") -> "Camera | None":
    """Make zones of a camera's pictures black; raises UsageError when one is no zone."""
    from birdfield.camera import parse_crop
    from birdfield.privacy import BlankedCamera

    boxes = [parse_crop(zone, "blank") for zone in zones or []]
    return BlankedCamera(camera, boxes, crop) if camera is not None and boxes else camera


def open_recorder(folder: Path, settings: "Settings", model_id: str, encoder: "Encoder",
                  gallery: "Gallery", camera: "Camera | None",
                  microphone: "Microphone | None", rules: "LiveRules") -> "Recorder":
    """Open a journal for a scene that is about to be watched."""
    from birdfield.journal import open_journal
    from birdfield.recorder import Recorder

    if os.geteuid() == 0:
        log.warning("this is root, which a station does not need; run it as an ordinary user")
    live = any(source.live for source in (camera, microphone) if source is not None)
    recorder = Recorder(open_journal(folder), encoder, gallery, model_id, settings, live,
                        rules=rules)
    recorder.start(datetime.now(UTC), camera.name if camera else None,
                   microphone.name if microphone else None)
    return recorder


def open_heart(model_id: str, camera: "Camera | None", microphone: "Microphone | None",
               journal: Path | None) -> "Heart":
    """Start the sign of life; raises UsageError when its patience is no number."""
    from birdfield.heart import Heart, patience_s
    from birdfield.notify import notifier
    from birdfield.status import status_folder

    facts = {"model": model_id, "camera": camera.name if camera else None,
             "microphone": microphone.name if microphone else None,
             "journal": str(journal) if journal else None}
    return Heart(notifier(), status_folder(), facts, patience_s())


def can_view(json_lines: bool) -> bool:
    """Tell whether to show a view: on a terminal, unless JSON is wanted."""
    from birdfield.terminal import can_show

    return not json_lines and can_show(sys.stdout)


def metered(microphone: "Microphone | None", encoder: "Encoder") -> "MeteredMicrophone | None":
    """Measure a microphone for a view."""
    from birdfield.sound_meter import MeteredMicrophone

    return MeteredMicrophone(microphone, encoder.audio_spec.rate_hz) if microphone else None


def show_view(scene: "Watch", model: str, meter: "MeteredMicrophone | None",
              recorder: "Recorder | None", heart: "Heart", folder: Path | None) -> None:
    """Show a scene on the terminal while a recorder takes its windows, and a heart beats."""
    from birdfield import terminal
    from birdfield.journal import read_journal
    from birdfield.view import View

    with ExitStack() as stack:
        journal = stack.enter_context(closing(read_journal(folder))) if folder else None
        view = View(scene, model, meter, journal)
        terminal.show_view(view, recorded(scene, recorder, heart, view))


def recorded(scene: "Watch", recorder: "Recorder | None", heart: "Heart",
             view: "View | None" = None) -> Iterator["Observation"]:
    """Yield a scene's observations, while a recorder takes its windows, and a heart beats."""
    try:
        for window in (view or scene).windows():
            if recorder is not None:
                recorder.take(window)
            if window.observation is not None:
                yield window.observation
            heart.beat(window, scene.skipped, recorder.written if recorder else 0)
    finally:
        if recorder is not None:
            recorder.close()
        heart.close()
