"""Bird names: writes the English and scientific names of the starter's species.

    python tools/make_bird_names.py AVILIST.csv

AVILIST.csv is birdnames/data/processed/avilist_2025_taxonomy.csv of the Python package birdnames
0.1.3: the AviList Core Team (2025), AviList: The Global Avian Checklist, v2025, CC BY 4.0. The
labels of the starter are names of folders, without hyphens and apostrophes. Each gets AviList's
spelling and scientific name; where AviList has another English name, that name as well. The script
writes birdfield/model/bird_names.csv.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from birdfield.model.bird_names import BIRD_NAMES
from birdfield.model.bundle import SPECIES, load_bundle
from birdfield.model.gallery import load_gallery
from birdfield.model.species import fold
from birdfield.paths import STARTER

# English names of the starter that AviList does not have: the label, and the scientific name.
OTHER_ENGLISH = {
    "Cape Glossy Starling": "Lamprotornis nitens",
    "Common Chaffinch": "Fringilla coelebs",
    "Common House Martin": "Delichon urbicum",
    "European Crested Tit": "Lophophanes cristatus",
    "Green Violetear": "Colibri thalassinus",
    "Myrtle Warbler": "Setophaga coronata",  # a group of subspecies
    "Red-rumped Swallow": "Cecropis rufula",  # split; the starter's recordings are from Spain
}
# Names that are usual in North America, as eBird writes them.
AMERICAN = {
    "Coloeus monedula": "Eurasian Jackdaw",
    "Columba livia": "Rock Pigeon",
    "Monticola saxatilis": "Rufous-tailed Rock-Thrush",
    "Phasianus colchicus": "Ring-necked Pheasant",
    "Pluvialis squatarola": "Black-bellied Plover",
    "Sturnus vulgaris": "European Starling",
}
HEADER = ("label", "scientific", "lang", "name")


def read_avilist(path: Path) -> dict[str, str]:
    """Return the English name of each species, by its scientific name."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {
            row["scientific_name"]: row["avilist_common_name"]
            for row in csv.DictReader(stream)
            if row["avilist_taxon_rank"] == "species"
        }


def rows(labels: tuple[str, ...], english: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table.

    Raises:
        SystemExit: When a label is neither in AviList nor in OTHER_ENGLISH.
    """
    scientific = {fold(name): species for species, name in english.items()}
    others = {fold(name): name for name in OTHER_ENGLISH}
    for label in labels:
        known = others.get(fold(label))
        species = OTHER_ENGLISH[known] if known else scientific.get(fold(label))
        if species is None:
            raise SystemExit(f"{label}: not in AviList; add it to OTHER_ENGLISH")
        # A label keeps its "gray": birds of America are written with an a.
        spelled = known or english[species].replace("Grey", "Gray" if "Gray" in label else "Grey")
        yield spelled, species, "en", english[species]
        if species in AMERICAN:
            yield spelled, species, "en-US", AMERICAN[species]


def main() -> None:
    """Write the table."""
    bundle = load_bundle(STARTER)
    data = (STARTER / SPECIES).read_bytes()
    labels = load_gallery(data, bundle.calibration, SPECIES).labels
    with BIRD_NAMES.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows(labels, read_avilist(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
