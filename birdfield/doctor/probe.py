"""One inference in a process of its own: what kills it is a message, and not the caller's end."""

import json
import sys
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

ROUNDS = 3
FRAME = (480, 640, 3)


def main() -> None:
    """Time a picture and a window of sound by the bundle that is named; prints JSON."""
    bundle = load_bundle(Path(sys.argv[1]))
    encoder = bundle.encoder(thread_count())
    gallery = merged_gallery(bundle, load_store(bundle), encoder.fuse)
    rng = np.random.default_rng(0)
    spec, times = encoder.audio_spec, []
    for number in range(ROUNDS + 1):
        began_s, start_s = perf_counter(), number * 2 * spec.window_s  # no window knows another
        seen = embed_frame(encoder, rng.integers(0, 255, FRAME).astype(np.uint8))
        heard = embed_window(
            encoder,
            rng.normal(0, 0.1, spec.window).astype(np.float32),
            start_s,
            start_s + spec.window_s,
        )
        decide(encoder, gallery, seen.image, heard.audio)
        times.append(perf_counter() - began_s)
    print(
        json.dumps(
            {
                "window_s": sorted(times[1:])[ROUNDS // 2],
                "step_s": window_step_s(spec),
                "backbone": bundle.manifest.image_backbone,
            }
        )
    )


if __name__ == "__main__":
    main()
