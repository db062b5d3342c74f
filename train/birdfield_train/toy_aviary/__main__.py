"""Command that writes the toy data: python -m birdfield_train.toy_aviary FOLDER."""

import argparse
from pathlib import Path

import cv2

from birdfield_train.toy_aviary import contact_sheet, write_dataset, write_scene

TEST_PHOTOGRAPHS = 8
TEST_RECORDINGS = 3


def main(arguments: list[str] | None = None) -> None:
    """Write train/, test/, scene/ and contact_sheet.png, with other individuals in each folder."""
    parser = argparse.ArgumentParser(
        prog="python -m birdfield_train.toy_aviary",
        description="Write a data set of six invented bird species.",
    )
    parser.add_argument("folder", type=Path, help="the folder for train/, test/ and scene/")
    parser.add_argument("--seed", type=int, default=0, help="decides all individuals (default: 0)")
    parser.add_argument(
        "--visits",
        type=int,
        default=10,
        help="visits in each of the three parts of the scene (default: 10)",
    )
    options = parser.parse_args(arguments)
    if options.seed < 0 or options.visits < 1:
        parser.error(
            f"--seed is {options.seed} and --visits {options.visits}; "
            "expected at least 0 and at least 1"
        )
    seeds = [3 * options.seed + part for part in range(3)]
    write_dataset(options.folder / "train", seeds[0])
    write_dataset(options.folder / "test", seeds[1], TEST_PHOTOGRAPHS, TEST_RECORDINGS)
    write_scene(options.folder / "scene", seeds[2], options.visits)
    cv2.imwrite(str(options.folder / "contact_sheet.png"), contact_sheet(seeds[2]))


if __name__ == "__main__":
    main()
