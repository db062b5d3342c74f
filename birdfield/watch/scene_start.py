"""Scene start: when the sound and the film that a scene is watched from were recorded."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from birdfield.errors import UsageError
from birdfield.signals.recording_time import (
    OLDEST,
    RecordingTime,
    TimeSource,
    recording_time,
)
from birdfield.watch.sources import Sources

SAME_S = 60.0  # two files whose times differ by more are not of one scene

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneStart:
    """When a scene of files began.

    Attributes:
        time: The aware time.
        source: What states it; None for an estimate.
    """

    time: datetime
    source: TimeSource | None = None

    def recorded(self, scene_s: float) -> RecordingTime | None:
        """Return the recording time of a scene time; None for an estimate."""
        return None if self.source is None else RecordingTime(self.time, self.source).at(scene_s)


def find_start(sources: Sources, given: datetime | None = None) -> SceneStart | None:
    """Find when the files of a scene were recorded.

    Args:
        sources: The sources of the scene.
        given: The aware time that the user states; None if the files decide.

    Returns:
        The start; an estimate that ends when the files were last changed, and never in the future,
        where nothing states it; None without files, as a live source has the time of the clock.

    Raises:
        UsageError: When the user states a time in the future, or that of a live source.
    """
    if not sources.each:
        return None
    if sources.live:
        if given is not None:
            raise UsageError("a live camera or microphone starts now; a start is for files only")
        return None
    now = datetime.now(UTC)
    if given is not None:
        if given > now:
            raise UsageError(f"the start {given.isoformat()} is in the future; expected a past one")
        return SceneStart(given, TimeSource.OPTION)
    # The microphone first: what records sound for hours often has the better clock.
    paths = [
        Path(source.name) for source in (sources.microphone, sources.camera) if source is not None
    ]
    length_s = max(map(_stated_length_s, paths))
    known = [found for path in paths if (found := _plausible(path, length_s, now)) is not None]
    if known:
        _check_agreement(known)
        return SceneStart(known[0].start, known[0].source)
    return SceneStart(_last_change(paths[0], now) - timedelta(seconds=length_s))


def _plausible(path: Path, length_s: float, now: datetime) -> RecordingTime | None:
    found = recording_time(path)
    if found is not None and found.at(length_s).start > now:
        log.warning(
            "%s: by its %s it was recorded from %s on, and so ends in the future; this is not used",
            path,
            found.source,
            found.start.isoformat(timespec="minutes"),
        )
        return None
    return found


def _check_agreement(known: list[RecordingTime]) -> None:
    apart_s = abs((known[0].start - known[-1].start).total_seconds())
    if apart_s > SAME_S:
        log.warning(
            "sound and film were recorded %.0f s apart, by their %s and %s; the scene has the time "
            "of the sound",
            apart_s,
            known[0].source,
            known[-1].source,
        )


def _last_change(path: Path, now: datetime) -> datetime:
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return now
    return changed if OLDEST <= changed <= now else now


def _stated_length_s(path: Path) -> float:
    """Return the length of a sound or a film as its header states it; 0 where it does not."""
    import cv2
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        film = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        fps = film.get(cv2.CAP_PROP_FPS)
        frames = film.get(cv2.CAP_PROP_FRAME_COUNT)
        film.release()
        return max(0.0, frames / fps) if fps > 0 else 0.0
