"""Split of a data set by recording: python tools/split.py IMAGE_DIR AUDIO_DIR OUT [SEED].

Writes links to OUT/train and OUT/test, each with images/ and audio/. A fifth of the recordings of
each species goes to the test; the recording of a species that has only one stays in training.
"""

import sys
from pathlib import Path

from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.folds import assign_folds

FOLDS = 5


def main() -> None:
    """Link every file into its side of the split."""
    images, audio, out = (Path(argument).resolve() for argument in sys.argv[1:4])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    dataset = scan_dataset(images, audio)
    samples = [*dataset.images, *dataset.audio]
    folds = assign_folds(samples, FOLDS, seed)
    for sample in samples:
        side = "test" if folds[sample.label, sample.recording] == 0 else "train"
        sense = "images" if sample.sense == "image" else "audio"
        link = out / side / sense / sample.path.parent.name / sample.path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(sample.path)


if __name__ == "__main__":
    main()
