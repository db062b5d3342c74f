"""Record 0018: visits found by the constants that pool windows.

    python experiments/0018/visits.py MODEL IMAGES AUDIO NO_IMAGES NO_AUDIO OUT.csv

The folders are those of `tools/scene_score.py`. The script renders gardens of one half of the
birds' files (the score uses the other half), watches them once, pools their windows by several
choices of the constants of `claims` and `visits`, and the visits scored against the script.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from garden import Scene  # noqa: E402
from garden_script import Stay, draw_script, find_files  # noqa: E402
from scene_score import SENSES, CachingEncoder, Found, tabulate, write_rows  # noqa: E402
from soak import SceneCamera, SceneMicrophone  # noqa: E402

from birdfield.model.bundle import Bundle, load_bundle  # noqa: E402
from birdfield.paths import thread_count  # noqa: E402
from birdfield.recognise.decide import Decision, decide  # noqa: E402
from birdfield.watch import claims, visits  # noqa: E402
from birdfield.watch.recogniser import Recogniser  # noqa: E402
from birdfield.watch.scene import SceneWatcher  # noqa: E402
from birdfield.watch.sources import Sources  # noqa: E402
from birdfield.watch.window import Window, window_step_s  # noqa: E402

SEED, HALF, VISITS = 10, 0, 70
AS_DECIDED: dict[str, float] = {}
CHOICES = {
    "as decided": AS_DECIDED,
    "only what each window is sure of": {
        "CLAIM_MIDPOINT": 0.0,
        "CLAIM_SLOPE": 0.001,
        "MIN_CLAIM_SUPPORT": 0.0,
    },
    "half at -0.05": {"CLAIM_MIDPOINT": -0.05},
    "half at -0.15": {"CLAIM_MIDPOINT": -0.15},
    "slope 0.03": {"CLAIM_SLOPE": 0.03},
    "what is disputed counts 0.5": {"DISPUTED_WEIGHT": 0.5},
    "what is disputed counts 1": {"DISPUTED_WEIGHT": 1.0},
    "what agrees counts 1": {"AGREEING_WEIGHT": 1.0},
    "a sound possibly the seen bird's is disputed too": {"COMPATIBLE_P": 2.0},
    "possibly is 0.001": {"COMPATIBLE_P": 0.001},
    "possibly is 0.05": {"COMPATIBLE_P": 0.05},
    "support of 1.5": {"MIN_VISIT_SUPPORT": 1.5},
    "support of 2.5": {"MIN_VISIT_SUPPORT": 2.5},
    "support of 3": {"MIN_VISIT_SUPPORT": 3.0},
    "share of 0.5": {"DOMINANCE": 0.5},
    "share of 0.6": {"DOMINANCE": 0.6},
    "share of 0.8": {"DOMINANCE": 0.8},
}

Watched = list[tuple[list[Window], tuple[Stay, ...]]]


def watch_all(bundle: Bundle, folders: Sequence[Path]) -> dict[str, Watched]:
    """Watch all gardens by both senses and by each; return windows with their vectors."""
    watched: dict[str, Watched] = {name: [] for name in SENSES}
    for number, garden in enumerate(draw_script(find_files(folders, HALF), VISITS, SEED)):
        encoder = CachingEncoder(bundle.encoder(thread_count()))
        scene = Scene(garden, encoder.audio_spec.rate_hz, np.random.default_rng((SEED, number)))
        for name, senses in SENSES.items():
            recogniser = Recogniser(
                encoder,
                bundle.factory_gallery(),
                bundle.model_id,
                crop_margin=bundle.crop_margin,
            )
            sources = Sources(
                SceneCamera(scene) if "image" in senses else None,
                SceneMicrophone(scene) if "audio" in senses else None,
            )
            watch = SceneWatcher(recogniser, sources, fast=True)
            watched[name].append(
                (
                    [
                        replace(
                            window,
                            frame=None,
                            waveform=None,
                            heard=replace(window.heard, features=None),
                        )
                        for window in watch.windows()
                    ],
                    garden.stays,
                )
            )
    return watched


def deciding_once() -> Callable[..., Decision]:
    """Return a `decide` that decides each vector once, because choices share all decisions."""
    known: dict[tuple[int, int], Decision] = {}

    def once(encoder: Any, gallery: Any, image: Any, audio: Any) -> Decision:
        key = id(image), id(audio)
        if key not in known:
            known[key] = decide(encoder, gallery, image, audio)
        return known[key]

    return once


def pool(bundle: Bundle, watched: Watched) -> list[tuple[list[Found], tuple[Stay, ...]]]:
    """Return the visits that a recorder forms of the windows."""
    encoder, gallery = bundle.encoder(1), bundle.factory_gallery()
    pooled = []
    for windows, stays in watched:
        tracker = visits.VisitTracker(step_s=window_step_s(encoder.audio_spec))
        found = []
        for window in windows:
            tracker.add(window, claims.window_claims(encoder, gallery, window))
            found += tracker.ended(window.end_s)
        found += tracker.close()
        pooled.append(
            ([Found(visit.species, visit.start_s, visit.end_s) for visit in found], stays)
        )
    return pooled


def module_of(constant: str) -> ModuleType:
    """Return the module of a constant."""
    return claims if hasattr(claims, constant) else visits


def score_choices(bundle: Bundle, watched: dict[str, Watched], out: Path) -> None:
    """Print and write the score of each choice, over all birds."""
    names = {name for choice in CHOICES.values() for name in choice}
    decided = {name: getattr(module_of(name), name) for name in names}
    once = deciding_once()
    rows: list[dict[str, Any]] = []
    for choice, constants in CHOICES.items():
        for name, value in {**decided, **constants}.items():
            setattr(module_of(name), name, value)
        for senses, windows in watched.items():
            with patch.object(claims, "decide", once):
                row = tabulate(pool(bundle, windows))[0]
            del row["group"]
            rows.append({"choice": choice, "senses": senses, **row})
            print(*rows[-1].values(), flush=True)
    write_rows(out, rows)


def main() -> None:
    """Watch all gardens and score every choice."""
    model, *folders, out = map(Path, sys.argv[1:])
    bundle = load_bundle(model)
    score_choices(bundle, watch_all(bundle, folders), out)


if __name__ == "__main__":
    main()
