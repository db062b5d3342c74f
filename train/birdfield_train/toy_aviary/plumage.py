"""Plumages: the colours, patterns and shapes of six invented species."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plumage:
    """The look of a species; colours are #RRGGBB, and an empty one means no such part.

    Attributes:
        name: Label of the species.
        back: Upper side; the wing and tail are darker shades of it.
        belly: Under side.
        cap: Crown.
        bib: Throat.
        mask: Stripe through the eye.
        flank: Side of the breast.
        crest: Feathers that stand up from the crown.
        tail_tip: End of the tail.
        wing_bars: Pale bands across the wing.
        spotted: Whether dark spots cover the breast.
        tail: Length, in units.
        fork: Angle from the middle to the outer tail feathers, in degrees.
        bill: Length and depth, in units.
        plump: Height of the body, relative to a slender one.
    """

    name: str
    back: str
    belly: str
    cap: str = ""
    bib: str = ""
    mask: str = ""
    flank: str = ""
    crest: str = ""
    tail_tip: str = ""
    wing_bars: int = 0
    spotted: bool = False
    tail: float = 24.0
    fork: float = 5.0
    bill: tuple[float, float] = (9.0, 4.6)
    plump: float = 1.0


# Two pairs have the same colours and other patterns, so that a mean colour identifies no species.
PLUMAGES = (
    Plumage(
        "Copper Wagtip",
        "#b5652f",
        "#f3e2c3",
        mask="#2b1d18",
        tail=34,
        tail_tip="#fbf6ea",
        fork=4,
        bill=(12, 3.4),
        plump=0.92,
    ),
    Plumage("Bramble Speckle", "#ad6535", "#f2e3c8", spotted=True, tail=19, plump=1.12),
    Plumage("Slate Barwing", "#66788c", "#e6e7e4", cap="#1d222b", wing_bars=2, plump=1.02),
    Plumage("Ashen Tufter", "#6a7a8b", "#e8e6e0", crest="#56677a", flank="#d98745", plump=1.08),
    Plumage(
        "Willow Trillet",
        "#7f8a3b",
        "#f1d84f",
        mask="#55602a",
        wing_bars=1,
        tail=21,
        fork=7,
        bill=(8, 2.8),
        plump=0.96,
    ),
    Plumage(
        "Lagoon Gleamer",
        "#1f86a0",
        "#ee9145",
        cap="#2356a3",
        bib="#20232c",
        tail=27,
        fork=16,
        bill=(10, 7.5),
        plump=1.05,
    ),
)
