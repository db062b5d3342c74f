"""Recogniser: a model with its gallery and the rules for its answers."""

from dataclasses import dataclass, field
from datetime import datetime

from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.settings.rules import LiveRules


@dataclass(frozen=True)
class Recogniser:
    """What a scene, a recorder and a rescoring need to name birds.

    Attributes:
        encoder: The model.
        gallery: The prototypes of its species.
        model_id: The identifier of the model, which the journal stores with each vector.
        rules: The rules in force; they may change while a scene is watched.
        crop_margin: The side of the image tower's crop, as a multiple of the side of what moved.
    """

    encoder: Encoder
    gallery: Gallery
    model_id: str
    rules: LiveRules = field(default_factory=LiveRules)
    crop_margin: float = 1.0

    def gallery_at(self, now: datetime) -> Gallery:
        """Return the gallery with the prior of the week of a time."""
        return self.rules.with_prior(self.gallery, now)
