"""Scene reader: the usable frame and sound of a window, past the motion and loudness gates."""

from dataclasses import dataclass, replace

from birdfield.capture.camera import Camera
from birdfield.capture.microphone import Microphone
from birdfield.capture.shot import Shot
from birdfield.capture.source import Source
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import square_around
from birdfield.signals.loudness_gate import LoudnessGate
from birdfield.signals.usability import frame_fault, window_fault
from birdfield.watch.source_faults import Faults, FaultTracker, log_changes
from birdfield.watch.sources import Sources


@dataclass(frozen=True)
class Reading:
    """What the sources of a scene have for one window.

    Attributes:
        shot: The usable frame in which something moved, or None.
        waveform: The usable sound above the background, float32 [N], or None.
        faults: Why each of the scene's sources is not usable; None if it is.
    """

    shot: Shot | None
    waveform: Waveform | None
    faults: Faults


class SceneReader:
    """Reads the sources of a scene window by window. Not thread-safe."""

    def __init__(self, sources: Sources, rate_hz: int, crop_margin: float) -> None:
        """Prepare to read.

        Args:
            sources: The camera and the microphone.
            rate_hz: The rate of the microphone's windows.
            crop_margin: The side of a crop, as a multiple of the side of what moved.
        """
        self._sources, self._crop_margin = sources, crop_margin
        self._faults = FaultTracker()
        self._loudness = LoudnessGate(rate_hz)

    def read(self, origin_s: float, start_s: float, end_s: float) -> Reading:
        """Read the window [start_s, end_s) of a scene that began at origin_s of monotonic time."""
        shot: Shot | None = None
        waveform: Waveform | None = None
        faults: dict[str, str | None] = {}
        camera, microphone = self._sources.camera, self._sources.microphone
        if camera is not None:
            shift_s = origin_s + self._sources.camera_latency_s if camera.live else 0.0
            shot, faults["camera"] = self._look(camera, start_s + shift_s, end_s + shift_s)
        if microphone is not None:
            shift_s = origin_s + self._sources.microphone_latency_s if microphone.live else 0.0
            waveform, faults["microphone"] = self._listen(
                microphone, start_s + shift_s, end_s + shift_s
            )
            if waveform is not None and not self._loudness.stands_out(waveform, start_s):
                waveform = None
        log_changes(self._faults.update(faults), faults)
        return Reading(shot, waveform, faults)

    def _look(self, camera: Camera, start_s: float, end_s: float) -> tuple[Shot | None, str | None]:
        """Return the shot of what moved, if anything did, or the camera's fault."""
        shot = camera.best_shot(start_s, end_s)
        if shot is None:
            return None, self._absence("camera", camera, "no frame")
        fault = frame_fault(shot.frame, shot.unchanged_s)
        if fault:
            return None, camera.loss or fault
        if shot.still:
            return None, None
        if shot.box is None:
            return shot, None
        box = square_around(shot.box, shot.frame.shape, self._crop_margin)
        return replace(shot, box=box), None

    def _listen(
        self, microphone: Microphone, start_s: float, end_s: float
    ) -> tuple[Waveform | None, str | None]:
        """Return the sound, or the microphone's fault."""
        waveform = microphone.window(start_s, end_s)
        if waveform is None:
            return None, self._absence("microphone", microphone, "no sound")
        fault = window_fault(waveform)
        return (None, microphone.loss or fault) if fault else (waveform, None)

    def _absence(self, name: str, source: Source, default: str) -> str:
        """Return why a source has nothing: its watchdog's reason, else the last one, if any."""
        if source.ended:
            return "ended"
        return source.loss or self._faults.faults.get(name) or default
