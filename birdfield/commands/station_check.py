"""Station check: what must hold before a watch starts, for `watch` and `config check` alike."""

from pathlib import Path

from birdfield.capture.camera import is_video_file, open_camera
from birdfield.capture.microphone import is_sound_file, open_microphone
from birdfield.errors import ConfigError
from birdfield.journal.writable import check_journal
from birdfield.model.open_model import LoadedModel, open_model
from birdfield.redaction import mask_url
from birdfield.settings.configuration import StationConfig
from birdfield.settings.resolve import ResolvedSettings
from birdfield.watch.sources import check_any_source


def check_station(choice: ResolvedSettings, has_own_journal: bool = True) -> LoadedModel:
    """Check the settings, and all that they name except devices and addresses; open the model.

    Args:
        choice: The settings.
        has_own_journal: Whether this user writes the journal, so that its folder is checked.

    Raises:
        BirdfieldError: If a watch with these settings could not start, or would not do what they
            say.
    """
    check_privacy(choice.config)
    choice.quiet("--quiet")
    model = open_model(choice.model)
    choice.check(model.gallery.species)
    check_sources(choice, model.encoder.audio_spec.rate_hz)
    folder = choice.settings.journal.folder
    if folder is not None and has_own_journal:
        check_journal(folder)
    return model


def check_privacy(config: StationConfig) -> None:
    """Check that only its owner can read a configuration with a password.

    Raises:
        ConfigError: If other users can.
    """
    watch = config.settings.watch
    secret = any(mask_url(source) != source for source in (watch.camera, watch.microphone))
    if config.path and secret and config.path.stat().st_mode & 0o077:
        raise ConfigError(
            f"{config.path}: contains a password, and other users can read it; run: chmod 600 "
            f"{config.path}"
        )


def check_sources(choice: ResolvedSettings, rate_hz: int) -> None:
    """Check that there is a source, and read the start of each that is a file.

    Raises:
        BirdfieldError: If there is none, or a file cannot be used.
    """
    watch = choice.settings.watch
    check_any_source(watch.camera != "none", watch.microphone != "none")
    camera = (
        open_camera(watch.camera, watch.crop, zones=watch.blank or ())
        if is_video_file(watch.camera)
        else None
    )
    if camera is not None:
        camera.close()
    microphone = (
        open_microphone(watch.microphone, rate_hz) if is_sound_file(watch.microphone) else None
    )
    if microphone is not None:
        microphone.close()


def named_files(choice: ResolvedSettings) -> list[Path]:
    """Return the files that a configuration consists of and names."""
    settings = choice.settings
    sources = (
        (settings.watch.camera, is_video_file),
        (settings.watch.microphone, is_sound_file),
    )
    model = settings.watch.model
    return [
        *filter(None, (choice.config.path, settings.names.file, settings.species.checklist)),
        *(sorted(model.iterdir()) if model else ()),
        *(Path(spec) for spec, is_file in sources if is_file(spec)),
    ]
