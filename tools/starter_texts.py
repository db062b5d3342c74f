"""LICENSE and model card of the starter model, with every number taken from files."""

import html
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, str]

CREATIVE_COMMONS = re.compile(r"\b(by(?:-nc)?(?:-sa)?)\b.*?(?:\b(\d\.\d)|$)")

LICENCE_HEAD = """\
The starter model of birdfield

These files are the weights and prototypes of a trained model, and texts about it. You may use,
copy, change and pass them on for research and for other non-commercial purposes, with this text.
Commercial use is not granted. They come without any warranty. The MIT licence of birdfield's code
does not cover them; the parts that others trained keep their own licences (NOTICE).

The model was trained on photographs and recordings of others. None of them is in it. Their terms,
as their sources state them, follow; nobody has verified them. Where no licence is stated,
permission has not been given either: if one of these files is yours and you do not want it to be
used, say so, and the next model is made without it.
"""

LIMITS = """\
- Photographs and recordings are paired by species only: no bird was seen and heard at once.
- A species with files of one sense only is rarely recognised by the other sense.
- YAMNet was trained on sounds in general, not on birds in particular: see the figures for audio.
- A bird that is small in a picture is hard to recognise.
- *Unknown* is a threshold; birds of other species often receive a name of the list.
- The figures are out of fold, on files of the same sources. The camera and the microphone of a
  garden differ from these, and nothing was measured on such devices.
- The species are those for which files were available, not the birds of one place.
"""


@dataclass(frozen=True)
class Collected:
    """The rows of SOURCES.tsv that the model is trained on, and the count of the others.

    Attributes:
        birds: Files of species.
        negatives: Files of background.
        no_derivatives: Number of files left out because of their licence.
        few: Species left out because too few of their files remain.
    """

    birds: tuple[Row, ...]
    negatives: tuple[Row, ...]
    no_derivatives: int
    few: tuple[str, ...]

    @property
    def unstated(self) -> int:
        """Number of files that state no licence."""
        return sum(stated(row) is None for row in (*self.birds, *self.negatives))

    @property
    def machine(self) -> int:
        """Number of files that were named by a classifier and not by a person."""
        return sum((row["label"] or "").strip() == "machine" for row in self.birds)

    def species(self) -> dict[str, Counter[str]]:
        """Return the number of files of each species in "images" and "audio"."""
        counts: dict[str, Counter[str]] = {}
        for row in self.birds:
            path = Path(row["file"])
            counts.setdefault(path.parent.name.replace("_", " "), Counter())[path.parts[1]] += 1
        return dict(sorted(counts.items()))

    def summary(self) -> str:
        """Return the counts as one line."""
        return (
            f"{len(self.birds)} files of {len(self.species())} species and "
            f"{len(self.negatives)} of background; {self.no_derivatives} files left out "
            f"because they permit no derivatives, {len(self.few)} species with too few files; "
            f"{self.unstated} state no licence, {self.machine} were named by a classifier"
        )


def stated(row: Row) -> str | None:
    """Return the licence that a file states, in a uniform spelling; None without one.

    Where the file states none, a Creative Commons licence of its repository applies; a licence of
    the repository's code does not.
    """
    text = row["file_licence"].strip()
    if not text and row["repo_licence"].startswith("CC"):
        text = row["repo_licence"]
    found = CREATIVE_COMMONS.search(text.lower().replace("cc-", "cc "))
    if found and "," not in text:
        return " ".join(["CC", found[1].upper(), *filter(None, [found[2]])])
    return text or None


def licence_text(found: Collected) -> str:
    """Return the text of the LICENSE."""
    lines = [LICENCE_HEAD]
    for title, rows in (("Files of birds", found.birds), ("Files of background", found.negatives)):
        if rows:
            lines += [f"{title}: {len(rows)}", ""]
            lines += [f"  {count:5}  {name}" for name, count in _by_licence(rows)] + [""]
    lines += [
        f"Files that state no licence of their own: {found.unstated}.",
        f"Files left out because their licence permits no derivatives: {found.no_derivatives}.",
        "",
        "Source repositories:",
        "",
    ]
    repositories = Counter(row["source_repo"] for row in (*found.birds, *found.negatives))
    lines += [f"  {count:5}  {name}" for name, count in repositories.most_common()]
    return (
        "\n".join(
            [
                *lines,
                "",
                "Authors, where they are stated, by licence:",
                "",
                *_authors((*found.birds, *found.negatives)),
            ]
        )
        + "\n"
    )


def _by_licence(rows: Iterable[Row]) -> list[tuple[str, int]]:
    names = (
        f"{stated(row) or 'no licence stated; the repository: ' + row['repo_licence']}, "
        f"{'photographs' if row['file'].split('/')[1] == 'images' else 'recordings'}"
        for row in rows
    )
    return Counter(names).most_common()


def _authors(rows: Iterable[Row]) -> list[str]:
    by_licence: dict[str, set[str]] = {}
    for row in rows:
        author = " ".join(html.unescape(re.sub(r"<[^>]*>", "", row["author"] or "")).split())
        if author:
            by_licence.setdefault(stated(row) or "no licence stated", set()).add(author)
    return [
        line
        for name, authors in sorted(by_licence.items())
        for line in textwrap.wrap(
            f"{name}: {'; '.join(sorted(authors, key=str.lower))}",
            98,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def model_card(found: Collected, manifest: Mapping[str, Any], made_by: Iterable[str]) -> str:
    """Return the text of the model card.

    Args:
        found: The files of the training.
        manifest: Manifest of the exported bundle, which holds the figures.
        made_by: The commands that made the bundle.
    """
    species = found.species()
    data = manifest["training"]["data"]
    return (
        "\n".join(
            [
                f"# The starter model, {manifest['model']}",
                "",
                f"Recognises {len(species)} species of birds by photograph, by sound or by both, "
                "offline, on a small computer.",
                "It is meant for trying birdfield out and for enrolling birds of your own, not for "
                "surveys.",
                "For research and other non-commercial use only: see LICENSE.",
                "",
                "## Trained on",
                "",
                f"{data['photographs']} photographs and {data['recordings']} recordings of "
                f"{data['species']} species ({data['skipped']} unusable files skipped), and "
                f"{len(found.negatives)} files of background.",
                f"{found.unstated} files state no licence; {found.no_derivatives} were left out "
                "because their licence permits no derivatives.",
                f"{found.machine} recordings were named by a classifier and not by a person; "
                "they count in the figures too.",
                *(
                    [f"Left out because of too few files: {', '.join(found.few)}."]
                    if found.few
                    else []
                ),
                "",
                "## How often it is right",
                "",
                *_figures(manifest),
                "",
                "## What the export cost",
                "",
                *_towers(manifest),
                "",
                "## Limits",
                "",
                LIMITS,
                "## How it was made",
                "",
                f"With birdfield {manifest['birdfield']}:",
                "",
                *(f"    {line}" for line in made_by),
                "",
                "## Species, and files of each",
                "",
                "| species | photographs | recordings |",
                "|---|---|---|",
                *(
                    f"| {name} | {counts['images']} | {counts['audio']} |"
                    for name, counts in species.items()
                ),
            ]
        )
        + "\n"
    )


def _figures(manifest: Mapping[str, Any]) -> list[str]:
    scores = manifest["cross_validation"]
    lines = [
        "Out of fold, in folds by recording, among all its species, before quantisation:",
        "",
        "| sense | top-1 | 95 % interval | n |",
        "|---|---|---|---|",
    ]
    for sense in ("image", "audio", "both"):
        row = scores[sense]
        if row["n"]:
            low, high = row["top1_ci95"]
            lines.append(f"| {sense} | {row['top1']:.3f} | {low:.3f} to {high:.3f} | {row['n']} |")
    if scores["both"]["n"]:
        lines += [
            "",
            f"On the same pairs: image alone {scores['both']['image_top1']:.3f}, audio "
            f"alone {scores['both']['audio_top1']:.3f}.",
        ]
    return lines


def _towers(manifest: Mapping[str, Any]) -> list[str]:
    return [
        f"- {name}: {tower['precision']}, {tower['size_bytes'] / 1e6:.1f} MB, cosine to the "
        f"trained one {tower['mean_cosine']:.4f} mean, {tower['min_cosine']:.4f} least"
        for name, tower in manifest["towers"].items()
    ]
