"""Figures: what an evaluation measured, rounded, and its JSON form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from birdfield.evaluate.metrics import ReliabilityBin
from birdfield.model.sense import SENSES, Sense

FORMAT = 1


@dataclass(frozen=True)
class SenseFigures:
    """The figures of one sense, 0..1; None where there was nothing to measure.

    Attributes:
        top1: The share of samples whose nearest species is the right one.
        top1_ci95: The 95 % interval of `top1`.
        n: Samples.
        recall_at_1: Recall@1 among the test files.
        map_at_r: Mean average precision at R among the test files.
        accepted: The share of samples whose nearest species passes its threshold.
        ece: The expected calibration error.
        reliability: Bins of scores.
    """

    top1: float | None
    top1_ci95: tuple[float | None, float | None]
    n: int
    recall_at_1: float | None
    map_at_r: float | None
    accepted: float | None
    ece: float | None
    reliability: tuple[ReliabilityBin, ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            **asdict(self),
            "top1_ci95": list(self.top1_ci95),
            "reliability": [each._asdict() for each in self.reliability],
        }


@dataclass(frozen=True)
class PairFigures(SenseFigures):
    """The figures of both senses, with top-1 on the same pairs by each sense alone."""

    image_top1: float | None
    audio_top1: float | None


@dataclass(frozen=True)
class LateFusionFigures:
    """Top-1 of late fusion on `n` pairs."""

    top1: float | None
    n: int


@dataclass(frozen=True)
class NoiseFigures:
    """Top-1 by each sense under one condition.

    Attributes:
        noise: The kind of noise, or "none".
        snr_db: The signal-to-noise ratio in dB; None without noise.
        image_damage: The damage to the photographs, or "clean".
        image_top1: 0..1.
        audio_top1: 0..1.
        both_top1: 0..1.
        n: Pairs.
    """

    noise: str
    snr_db: int | None
    image_damage: str
    image_top1: float | None
    audio_top1: float | None
    both_top1: float | None
    n: int

    def top1(self, sense: Sense) -> float | None:
        """Return top-1 by a sense."""
        return {
            Sense.IMAGE: self.image_top1,
            Sense.AUDIO: self.audio_top1,
            Sense.BOTH: self.both_top1,
        }[sense]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class GroupFigures:
    """The AUROC of known birds against `n` samples of a group of unknown species."""

    auroc: float | None
    n: int


@dataclass(frozen=True)
class SenseRejection:
    """How well one sense separates known birds from `n` other samples.

    Attributes:
        auroc: 0..1; None where there was nothing to measure, as in the others.
        fpr95: The share of other samples that pass where 95 % of known birds pass.
        n: Other samples.
        oscr: The open-set classification rate; of unknown species only.
        near: Unknown species with the family name of a known one; of unknown species only.
        far: All other unknown species; of unknown species only.
    """

    auroc: float | None
    fpr95: float | None
    n: int
    oscr: float | None = None
    near: GroupFigures | None = None
    far: GroupFigures | None = None

    def to_json(self) -> dict[str, object]:
        """Return the JSON form; background has neither OSCR nor groups."""
        whole = asdict(self)
        names = ("auroc", "fpr95", "n") if self.near is None else tuple(whole)
        return {name: whole[name] for name in names}


@dataclass(frozen=True)
class RejectionFigures:
    """How well a model separates known birds from others, by sense.

    Attributes:
        senses: The figures by sense.
        both_reason: Why both senses together are missing from `senses`; else None.
    """

    senses: Mapping[Sense, SenseRejection]
    both_reason: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        entry: dict[str, object] = {
            sense: figures.to_json() for sense, figures in self.senses.items()
        }
        return entry if self.both_reason is None else {**entry, "both_reason": self.both_reason}


@dataclass(frozen=True)
class Figures:
    """All figures of one evaluation; None is what was not measured.

    Attributes:
        model: The model's id.
        gallery: Species that the model can answer.
        species: Species that were tested.
        image: By photographs.
        audio: By recordings.
        both: By pairs of the two.
        late_fusion: By late fusion of the same pairs.
        noise: A row for each condition.
        unknown: Against unknown species.
        background: Against background.
    """

    model: str
    gallery: int
    species: int
    image: SenseFigures
    audio: SenseFigures
    both: PairFigures
    late_fusion: LateFusionFigures
    noise: tuple[NoiseFigures, ...] | None = None
    unknown: RejectionFigures | None = None
    background: RejectionFigures | None = None

    def by_sense(self, sense: Sense) -> SenseFigures:
        """Return the figures of a sense."""
        return {Sense.IMAGE: self.image, Sense.AUDIO: self.audio, Sense.BOTH: self.both}[sense]

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form; what was not measured is absent."""
        measured: dict[str, object] = {
            "noise": None if self.noise is None else [row.to_json() for row in self.noise],
            "unknown": self.unknown and self.unknown.to_json(),
            "no_bird": self.background and self.background.to_json(),
        }
        return {
            "format": FORMAT,
            "model": self.model,
            "gallery": self.gallery,
            "species": self.species,
            **{sense.value: self.by_sense(sense).to_json() for sense in SENSES},
            "late_fusion": asdict(self.late_fusion),
            "ece": self.both.ece,
            **{name: entry for name, entry in measured.items() if entry is not None},
        }
