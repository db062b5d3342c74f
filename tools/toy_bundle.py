"""Toy bundle: a small model for tests: python tools/toy_bundle.py NAME.birdfield."""

import sys
import tempfile
from pathlib import Path

from birdfield_export.pack import ExportConfig, export
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.pipeline import train
from birdfield_train.toy_aviary import write_dataset


def main() -> None:
    """Train on a few photographs and recordings of the toy aviary, and export."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder, photographs=8, recordings=4)
        run = train(
            TrainConfig(folder / "images", folder / "audio", folder / "run"),
            Reporter(lambda *_: None, lambda *_: None, print),
        )
        export(run, Path(sys.argv[1]), ExportConfig(force=True), print)


if __name__ == "__main__":
    main()
