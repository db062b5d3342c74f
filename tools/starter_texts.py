"""The LICENSE and the model card of the starter model: every number comes from files."""

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
- Species with files of one sense only can be named by the other sense only as far as the joint
  space carries over; do not count on it.
- Sound is heard by YAMNet, which knows sounds in general and not birds in particular: see the
  figures by audio.
- The whole picture is embedded: a small bird in a large picture is hard.
- *Unknown* is a threshold; birds of other species are often given a name of the list.
- The figures are out of fold, on files of the same sources: a garden's camera and microphone
  differ. Nothing was measured on other people's devices.
- The species are those that files were at hand for. They are the birds of no one place.
"""


@dataclass(frozen=True)
class Collected:
    """The rows of SOURCES.tsv that were trained on, and what was left out.

    Attributes:
        birds: Files of species.
        negatives: Files of no bird.
        no_derivatives: How many files were left out because of their licence.
        few: Species that were left out, having too few files without those.
    """

    birds: tuple[Row, ...]
    negatives: tuple[Row, ...]
    no_derivatives: int
    few: tuple[str, ...]

    @property
    def unstated(self) -> int:
        """How many files of birds or of none state no licence."""
        return sum(stated(row) is None for row in (*self.birds, *self.negatives))

    @property
    def machine(self) -> int:
        """How many files were named by a classifier and not by a person."""
        return sum((row["label"] or "").strip() == "machine" for row in self.birds)

    def species(self) -> dict[str, Counter[str]]:
        """Count the files of each species by "images" and "audio"."""
        counts: dict[str, Counter[str]] = {}
        for row in self.birds:
            path = Path(row["file"])
            counts.setdefault(path.parent.name.replace("_", " "), Counter())[path.parts[1]] += 1
        return dict(sorted(counts.items()))

    def summary(self) -> str:
        """Say in a line what was found."""
        return (
            f"{len(self.birds)} files of {len(self.species())} species and "
            f"{len(self.negatives)} of no bird; {self.no_derivatives} left out as no "
            f"derivatives, {len(self.few)} species for having too few files; "
            f"{self.unstated} state no licence, {self.machine} were named by a machine"
        )


def stated(row: Row) -> str | None:
    """Return the licence that a file states, in one form; None when there is none.

    A repository's licence is taken for its files' where it is one for works; that of its code is
    not.
    """
    text = row["file_licence"].strip()
    if not text and row["repo_licence"].startswith("CC"):
        text = row["repo_licence"]
    found = CREATIVE_COMMONS.search(text.lower().replace("cc-", "cc "))
    if found and "," not in text:
        return " ".join(["CC", found[1].upper(), *filter(None, [found[2]])])
    return text or None


def licence_text(found: Collected) -> str:
    """Write the LICENSE."""
    lines = [LICENCE_HEAD]
    for title, rows in (("Files of birds", found.birds), ("Files of no bird", found.negatives)):
        if rows:
            lines += [f"{title}: {len(rows)}", ""]
            lines += [f"  {count:5}  {name}" for name, count in _by_licence(rows)] + [""]
    lines += [
        f"Files that state no licence of their own: {found.unstated}.",
        f"Files left out because their licence allows no derivatives: {found.no_derivatives}.",
        "",
        "Taken from these repositories:",
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
    """Write the card.

    Args:
        found: What was trained on.
        manifest: Of the exported bundle: the figures are its own.
        made_by: The commands.
    """
    species = found.species()
    data = manifest["training"]["data"]
    return (
        "\n".join(
            [
                f"# The starter model, {manifest['model']}",
                "",
                f"Names {len(species)} species of birds by photograph, by sound or by both, "
                "offline, on a "
                "small computer. It is a start for",
                "trying birdfield out and for enrolling birds of your own; it is no instrument.",
                "For research and non-commercial use: LICENSE.",
                "",
                "## Trained on",
                "",
                f"{data['photographs']} photographs and {data['recordings']} recordings of "
                f"{data['species']} species ({data['skipped']} unusable files skipped), and "
                f"{len(found.negatives)} files of no bird.",
                f"{found.unstated} files state no licence; {found.no_derivatives} were left out "
                "because "
                "theirs allows no derivatives.",
                f"{found.machine} recordings were named by a classifier and not by a person; "
                "they count in "
                "the figures too.",
                *(
                    [f"Left out for having too few files: {', '.join(found.few)}."]
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
            f"On the same pairs, image alone {scores['both']['image_top1']:.3f}, audio "
            f"alone {scores['both']['audio_top1']:.3f}.",
        ]
    return lines


def _towers(manifest: Mapping[str, Any]) -> list[str]:
    return [
        f"- {name}: {tower['precision']}, {tower['size_bytes'] / 1e6:.1f} MB, cosine to the "
        f"trained one {tower['mean_cosine']:.4f} mean, {tower['min_cosine']:.4f} least"
        for name, tower in manifest["towers"].items()
    ]
