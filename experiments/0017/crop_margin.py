"""Record 0017: visits found by sight, by the margin of the crop around moving objects.

    python experiments/0017/crop_margin.py MODEL IMAGES AUDIO NO_IMAGES NO_AUDIO OUT.csv [RIM_PX]

The folders are those of `tools/scene_score.py`. The script renders gardens of one half of the
birds' files (the score uses the other half), watches them by sight alone, and crops moving objects
by squares of several relative sizes. RIM_PX sets the rim of background around each bird; 1 is none.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import garden as garden_module  # noqa: E402
from garden import Scene  # noqa: E402
from garden_script import draw_script, find_files  # noqa: E402
from scene_score import Found, tabulate, watch_garden, write_rows  # noqa: E402

from birdfield.model.bundle import load_bundle  # noqa: E402

SEED, HALF, VISITS = 20, 0, 100
MARGINS = (0.8, 0.9, 1.0, 1.15, 1.3)


def main() -> None:
    """Measure each margin; print and write the results."""
    model, *folders, out = map(Path, sys.argv[1:7])
    if len(sys.argv) > 7:
        garden_module.RIM_PX = int(sys.argv[7])
    bundle = load_bundle(model)
    encoder = bundle.encoder(1)
    results: dict[float, list[tuple[list[Found], Any]]] = {margin: [] for margin in MARGINS}
    for number, garden in enumerate(draw_script(find_files(folders, HALF), VISITS, SEED)):
        scene = Scene(garden, encoder.audio_spec.rate_hz, np.random.default_rng((SEED, number)))
        for margin, found in results.items():
            cutting = replace(bundle, manifest=replace(bundle.manifest, crop_margin=margin))
            found.append(
                (
                    watch_garden(scene, ("image",), encoder, cutting),
                    tuple(stay for stay in garden.stays if stay.photographs),
                )
            )
        print(f"garden {number + 1}", flush=True)
    rows = []
    for margin, found in results.items():
        whole, *groups = tabulate(found)
        sizes = {row["group"]: row["recall"] for row in groups if row["group"].startswith("size")}
        rows.append(
            {
                "margin": margin,
                "there": whole["there"],
                "named": whole["named"],
                "right": whole["found"],
                "precision": whole["precision"],
                "recall": whole["recall"],
                **sizes,
            }
        )
        print(*rows[-1].values(), flush=True)
    write_rows(out, rows)


if __name__ == "__main__":
    main()
