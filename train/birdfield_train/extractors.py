"""Extractors: the feature extractors of a convolutional base and a frontend, by sense."""

from collections.abc import Sequence
from pathlib import Path

from birdfield.model.frontend import Frontend
from birdfield.model.sense import Sense
from birdfield_train.backbones import Backbone
from birdfield_train.extractor import FeatureExtractor
from birdfield_train.image_features import image_extractor
from birdfield_train.sound_features import sound_extractor


def extractors_of(
    backbone: Backbone, frontend: Frontend, noises: Sequence[Path] = ()
) -> dict[Sense, FeatureExtractor]:
    """Return the extractors for `features.extract`.

    Args:
        backbone: The convolutional base.
        frontend: The frontend.
        noises: Recordings without a bird, to mix into other versions of each recording.
    """
    return {
        Sense.IMAGE: image_extractor(backbone),
        Sense.AUDIO: sound_extractor(frontend, noises),
    }
