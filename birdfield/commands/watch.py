"""The command that watches a camera and a microphone."""

import logging
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.console import show
from birdfield.commands.options import JsonSwitch, LangOption, NamesOption, StationModelOption
from birdfield.settings.bounds import MAX_COUNT, MAX_DAYS, MAX_GAP_S, MAX_GB

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration; else birdfield/birdfield.toml below "
        "XDG_CONFIG_HOME, where it is there. Flags override it.",
    ),
]
BlankOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y,W,H",
        help="A part of the picture that is made black before anything looks at it; "
        "may be given again.",
    ),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Record visits, with picture and sound, in this folder."),
]
GapOption = Annotated[
    float | None,
    typer.Option(
        min=1, max=MAX_GAP_S, metavar="SECONDS", help="Absence that ends a visit; else 30."
    ),
]
QuietOption = Annotated[
    str | None,
    typer.Option(
        metavar="HH:MM-HH:MM",
        help="Record no visits then, local time; or night: while the sun is down at --location.",
    ),
]
LocationOption = Annotated[
    str | None, typer.Option(metavar="LAT,LON", help="Where the station stands, in degrees.")
]
KeepVoicesOption = Annotated[
    bool, typer.Option("--keep-voices", help="Keep sound although somebody speaks.")
]
KeepBestOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_COUNT,
        metavar="N",
        help="Visits of each species whose picture and sound always stay; else 10.",
    ),
]
KeepDaysOption = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_DAYS, metavar="DAYS", help="Delete older pictures and sounds."),
]
KeepGbOption = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_GB, metavar="GB", help="Delete the oldest beyond so much."),
]
KeepFreeOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=MAX_GB,
        metavar="GB",
        help="Delete the oldest, or keep none, to leave so much free; else 0.5.",
    ),
]


def watch(
    model: StationModelOption = None,
    camera: Annotated[
        str | None,
        typer.Option(
            help="Device number, video file, RTSP or MJPEG URL, picamera2 or none; else 0."
        ),
    ] = None,
    microphone: Annotated[
        str | None,
        typer.Option(
            help="Device name or number, sound file, RTSP or HTTP URL, or none; else default."
        ),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="The part of the picture to look at, in pixels."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Go through files as fast as they can be processed.")
    ] = False,
    json_lines: JsonSwitch = False,
    config: ConfigOption = None,
    lang: LangOption = None,
    names: NamesOption = None,
    blank: BlankOption = None,
    journal: JournalOption = None,
    gap: GapOption = None,
    quiet: QuietOption = None,
    location: LocationOption = None,
    keep_voices: KeepVoicesOption = False,
    keep_best: KeepBestOption = None,
    keep_days: KeepDaysOption = None,
    keep_gb: KeepGbOption = None,
    keep_free_gb: KeepFreeOption = None,
) -> None:
    """Watch a camera and listen to a microphone, or to files, and name what comes."""
    from birdfield.capture.camera import open_camera
    from birdfield.capture.microphone import open_microphone
    from birdfield.commands import station
    from birdfield.model.open_model import open_model
    from birdfield.settings.configuration import find_config, load_config
    from birdfield.settings.place import parse_location
    from birdfield.settings.resolve import ResolvedSettings
    from birdfield.signals.boxes import parse_box
    from birdfield.view.terminal import end_with_terminal
    from birdfield.watch.recogniser import Recogniser
    from birdfield.watch.scene import SceneWatcher
    from birdfield.watch.sources import Sources

    # Senses that come and go are what a person who watches wants to be told.
    logging.getLogger("birdfield").setLevel(logging.INFO)
    choice = ResolvedSettings(
        load_config(find_config(config)),
        {
            "watch.model": model,
            "watch.camera": camera,
            "watch.microphone": microphone,
            "watch.crop": parse_box(crop) if crop else None,
            "watch.blank": tuple(parse_box(zone, "blank") for zone in blank) if blank else None,
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
    wanted = choice.settings.watch
    settings = station.settings_of(choice)
    folder = choice.settings.journal.folder
    bundle, encoder, gallery = open_model(choice.model)
    known = choice.names(gallery.species)
    with ExitStack() as closing, choice.followed(gallery.species) as rules:
        eye = open_camera(
            wanted.camera, wanted.crop, choice.latency.frames_wait_s, wanted.blank or ()
        )
        ear = open_microphone(wanted.microphone, encoder.audio_spec.rate_hz)
        viewing = station.can_view(json_lines)
        meter = station.metered(ear, encoder) if viewing else None
        ear = meter or ear
        for source in (eye, ear):
            if source is not None:
                closing.callback(source.close)
        recogniser = Recogniser(encoder, gallery, bundle.model_id, rules, bundle.crop_margin)
        sources = Sources(eye, ear, choice.latency)
        scene = SceneWatcher(recogniser, sources, fast)
        encoder.load(eye is not None, ear is not None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: scene.stop())
        end_with_terminal(scene.stop)
        recorder = (
            station.open_recorder(folder, settings, recogniser, sources.info) if folder else None
        )
        liveness = station.open_liveness(bundle.model_id, sources.info, folder)
        if viewing:
            station.view_scene(scene, bundle.folder.name, meter, recorder, liveness, folder, known)
        else:
            show(station.recorded(scene, recorder, liveness), bundle.model_id, json_lines, known)
