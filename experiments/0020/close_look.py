"""Record 0020: answers by the lowest margin of a part of the picture.

    python experiments/0020/close_look.py MODEL IMAGE_DIR NO_BIRD_DIR UNKNOWN_DIR OUT.csv

Pastes photographs that the model was not trained on into pictures without a bird, as
experiments/0012/bird_size.py does. For each lowest margin over unknown of a part, counts the
pictures that are right, right and answered, and wrong and answered, and the answers for pictures
without a bird and for unknown species.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from birdfield.evaluate.metrics import auroc
from birdfield.model.bundle import load_bundle
from birdfield.model.gallery import margin_over_unknown
from birdfield.model.sense import Sense
from birdfield.recognise.close_look import crops_of
from birdfield.recognise.dataset import scan_dataset, scan_flat
from birdfield.recognise.embed import read_photograph
from birdfield.signals.image import Frame

sys.path.append(str(Path(__file__).parents[1] / "0012"))

import bird_size  # noqa: E402

LEAST = (9.0, 0.2, 0.15, 0.1, 0.05, 0.0)  # 9: no closer look


def main(model: str, images: str, scenes: str, unknown: str, out: str) -> None:
    """Embed the parts of every picture once, then measure each lowest margin."""
    bundle = load_bundle(Path(model))
    encoder, gallery = bundle.encoder(2), bundle.factory_gallery()

    def look(image: Frame) -> tuple[np.ndarray, np.ndarray]:
        fused = np.stack(
            [encoder.fuse(encoder.image_vector(part), None) for part in crops_of(image)]
        )
        similarities = gallery.similarities(fused, Sense.IMAGE)
        return similarities.argmax(axis=1), margin_over_unknown(
            similarities, gallery.background_similarity(fused, Sense.IMAGE), gallery, Sense.IMAGE
        )

    photographs = [
        (read_photograph(sample.path), gallery.labels.index(sample.label))
        for sample in scan_dataset(Path(images), Path(images), senses=[Sense.IMAGE]).images
    ]
    backgrounds = [
        read_photograph(sample.path) for sample in scan_flat(Path(scenes), Sense.IMAGE)[0]
    ]
    labels = np.array([label for _, label in photographs])
    looks = {}
    for share in bird_size.SHARES:
        rng = np.random.default_rng(0)
        looks[share] = [
            look(
                bird_size.place(
                    photograph, backgrounds[int(rng.integers(len(backgrounds)))], share, rng
                )
            )
            for photograph, _ in photographs
        ]
        print(f"{share:.0%} of the area seen", flush=True)
    background = [look(image) for image in backgrounds]
    unknown_species = [
        look(read_photograph(sample.path))
        for sample in scan_dataset(Path(unknown), Path(unknown), senses=[Sense.IMAGE]).images
    ]

    with Path(out).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["least", "what", "right", "right_answered", "wrong_answered", "auroc", "n"]
        )
        for least in LEAST:
            whole = _choose(looks[1.0], least)[1]
            for share, seen in looks.items():
                species, known = _choose(seen, least)
                right, answered = species == labels, known >= 0
                writer.writerow(
                    [
                        least,
                        share,
                        *_rounded(
                            right.mean(), (right & answered).mean(), (~right & answered).mean()
                        ),
                        "",
                        len(seen),
                    ]
                )
            for name, seen in (("no bird", background), ("unknown", unknown_species)):
                known = _choose(seen, least)[1]
                writer.writerow(
                    [
                        least,
                        name,
                        "",
                        "",
                        *_rounded((known >= 0).mean(), auroc(whole, known)),
                        len(seen),
                    ]
                )
    print(Path(out).read_text())


def _choose(
    looks: list[tuple[np.ndarray, np.ndarray]], least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Answer by the whole picture, or by its most certain part when only that is certain enough."""
    chosen = []
    for species, known in looks:
        part = int(known[1:].argmax()) + 1
        row = part if known[0] < 0 and known[part] >= least else 0
        chosen.append((species[row], known[row]))
    return np.array([each[0] for each in chosen]), np.array([each[1] for each in chosen])


def _rounded(*values: float) -> list[float]:
    return [round(float(value), 4) for value in values]


if __name__ == "__main__":
    main(*sys.argv[1:])
