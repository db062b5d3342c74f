"""Command `watch`: watches a camera and listens to a microphone."""

from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.options import (
    ConfigOption,
    JsonSwitch,
    LangOption,
    NamesOption,
    StationModelOption,
    TimezoneOption,
    decimal,
)
from birdfield.settings.bounds import MAX_COUNT, MAX_DAYS, MAX_GAP_S, MAX_GB

CameraOption = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="A device number, a video file, an RTSP or MJPEG URL, picamera2, or none; default: 0.",
    ),
]
MicrophoneOption = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="A device name or number, a sound file, an RTSP or HTTP URL, or none; "
        "default: the default device.",
    ),
]
CropOption = Annotated[
    str | None,
    typer.Option(metavar="X,Y,W,H", help="Use only this part of the picture, in pixels."),
]
BlankOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y,W,H", help="Black out this part of the picture, in pixels; repeatable."
    ),
]
FastSwitch = Annotated[
    bool, typer.Option("--fast", help="Process files as fast as this machine can.")
]
StartOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When the files were recorded, such as 2026-05-12T05:10; default: what they state.",
    ),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Record visits, with pictures and sounds, in this folder."),
]
GapOption = Annotated[
    float | None,
    typer.Option(
        parser=decimal(1, MAX_GAP_S),
        metavar="SECONDS",
        help="End a visit after an absence of this time; default: 30.",
    ),
]
QuietOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOURS",
        help="Record no visits in these local hours, such as 22:00-05:00, or night, which "
        "needs --location.",
    ),
]
LocationOption = Annotated[
    str | None,
    typer.Option(metavar="LAT,LON", help="The location of the station, in degrees north and east."),
]
KeepVoicesSwitch = Annotated[
    bool, typer.Option("--keep-voices", help="Keep sounds in which a person speaks.")
]
KeepBestOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_COUNT,
        metavar="N",
        help="Always keep the pictures and sounds of the N best visits of each species; "
        "default: 10.",
    ),
]
KeepDaysOption = Annotated[
    float | None,
    typer.Option(
        parser=decimal(0, MAX_DAYS), metavar="DAYS", help="Delete older pictures and sounds."
    ),
]
KeepGbOption = Annotated[
    float | None,
    typer.Option(
        parser=decimal(0, MAX_GB),
        metavar="GB",
        help="Delete the oldest pictures and sounds above this size.",
    ),
]
KeepFreeOption = Annotated[
    float | None,
    typer.Option(
        parser=decimal(0, MAX_GB),
        metavar="GB",
        help="Delete the oldest pictures and sounds, or write none, to keep this space free; "
        "default: 0.5.",
    ),
]


def watch(
    model: StationModelOption = None,
    camera: CameraOption = None,
    microphone: MicrophoneOption = None,
    crop: CropOption = None,
    blank: BlankOption = None,
    fast: FastSwitch = False,
    start: StartOption = None,
    timezone: TimezoneOption = None,
    json_lines: JsonSwitch = False,
    config: ConfigOption = None,
    lang: LangOption = None,
    names: NamesOption = None,
    journal: JournalOption = None,
    gap: GapOption = None,
    quiet: QuietOption = None,
    location: LocationOption = None,
    keep_voices: KeepVoicesSwitch = False,
    keep_best: KeepBestOption = None,
    keep_days: KeepDaysOption = None,
    keep_gb: KeepGbOption = None,
    keep_free_gb: KeepFreeOption = None,
) -> None:
    """Watch a camera, listen to a microphone, and name birds.

    Video and sound files can replace the camera and the microphone; their visits have the time of
    recording.
    """
    from birdfield.commands.station import run_station
    from birdfield.journal.queries import parse_time
    from birdfield.settings.configuration import find_config, load_config
    from birdfield.settings.place import parse_location
    from birdfield.settings.resolve import ResolvedSettings
    from birdfield.signals.boxes import parse_box

    if timezone is not None:
        from birdfield.commands.local_time import use_timezone

        use_timezone(timezone)
    began = parse_time(start, "--start")
    choice = ResolvedSettings(
        load_config(find_config(config)),
        {
            "watch.model": model,
            "watch.camera": camera,
            "watch.microphone": microphone,
            "watch.crop": parse_box(crop, "--crop") if crop else None,
            "watch.blank": tuple(parse_box(zone, "--blank") for zone in blank) if blank else None,
            "journal.folder": journal,
            "journal.gap_s": gap,
            "quiet.hours": quiet,
            "place.location": parse_location(location, "--location") if location else None,
            "journal.keep_voices": keep_voices,
            "journal.keep_best": keep_best,
            "journal.keep_days": keep_days,
            "journal.keep_gb": keep_gb,
            "journal.keep_free_gb": keep_free_gb,
            "names.lang": lang,
            "names.file": names,
        },
    )
    run_station(choice, fast, json_lines, began)
