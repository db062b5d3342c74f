"""Probe: times inferences in a separate process, and prints JSON."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from birdfield.model.bundle import load_bundle
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.store_file import load_store
from birdfield.paths import thread_count
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import embed_frame, embed_window
from birdfield.watch.window import window_step_s

ROUNDS = 3  # after a first one that does not count
FRAME_SHAPE = (480, 640, 3)


@dataclass(frozen=True)
class ProbeResult:
    """The speed of a model.

    Attributes:
        window_s: The median time of a decision.
        step_s: The time from the start of one window to the next.
        backbone: The image backbone; None when the manifest lacks it.
    """

    window_s: float
    step_s: float
    backbone: str | None


def main() -> None:
    """Time decisions by the bundle that the first argument names."""
    bundle = load_bundle(Path(sys.argv[1]))
    encoder = bundle.encoder(thread_count())
    gallery = merged_gallery(bundle, load_store(bundle), encoder.fuse)
    rng = np.random.default_rng(0)
    spec, times_s = encoder.audio_spec, []
    for number in range(ROUNDS + 1):
        began_s, start_s = perf_counter(), number * 2 * spec.window_s  # windows never overlap
        seen = embed_frame(encoder, rng.integers(0, 255, FRAME_SHAPE).astype(np.uint8))
        heard = embed_window(
            encoder,
            rng.normal(0, 0.1, spec.window).astype(np.float32),
            start_s,
            start_s + spec.window_s,
        )
        decide(encoder, gallery, seen.image, heard.audio)
        times_s.append(perf_counter() - began_s)
    result = ProbeResult(
        sorted(times_s[1:])[ROUNDS // 2],
        window_step_s(spec),
        bundle.manifest.image_backbone,
    )
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
