"""Tower inputs: the real and the synthetic inputs on which towers are quantised and compared."""

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import unit
from birdfield.model.sense import SENSES, Sense
from birdfield.signals.image import preprocess
from birdfield_train.batches import PRESENCES
from birdfield_train.calibration_data import CalibrationData
from birdfield_train.run_encoder import Run

FUSION = "fusion"  # the tower that joins the vectors of the others

Inputs = dict[str, NDArray[np.float32]]  # by input name, [N, *shape of the input at batch 1]


def tower_inputs(run: Run, tower: str) -> Inputs:
    """Return a few hundred real inputs of a tower.

    A run without one sense has no real inputs for its tower; the synthetic ones replace them.

    Args:
        run: A complete run.
        tower: One of `convert.TOWERS`.
    """
    if tower == FUSION:
        return fusion_inputs(run)
    data = run.calibration_data
    found = image_inputs(run, data) if tower == Sense.IMAGE else data.sequences[:, None]
    if len(found):
        return {tower: found}
    return {tower: np.concatenate([one[tower] for one in synthetic_inputs(run, tower).values()])}


def image_inputs(run: Run, data: CalibrationData) -> NDArray[np.float32]:
    """Preprocess N kept photographs, float32 [N, 1, S, S, 3]."""
    size = run.backbone.spec.size_px
    pictures = [preprocess(image, run.backbone.spec) for image in data.images]
    return np.array(pictures, np.float32).reshape(-1, 1, size, size, 3)


def fusion_inputs(run: Run) -> Inputs:
    """Pair the vectors of the towers; in some rows, one sense is absent."""
    sequences = tower_inputs(run, Sense.AUDIO)[Sense.AUDIO][:, 0]
    audio = unit(run.heads.audio.predict(sequences, batch_size=64, verbose=0))
    gallery = run.gallery()
    # Prototypes replace photographs, whose embedding takes minutes.
    by_image = gallery.senses == SENSES.index(Sense.IMAGE)
    images = gallery.vectors[by_image] if by_image.any() else audio
    rows = np.arange(max(len(images), len(audio)))
    presence = PRESENCES[rows % len(PRESENCES)]
    return {
        Sense.IMAGE: (images[rows % len(images)] * presence[:, :1])[:, None],
        Sense.AUDIO: (audio[rows % len(audio)] * presence[:, 1:])[:, None],
        "presence": presence[:, None],
    }


def synthetic_inputs(run: Run, tower: str) -> dict[str, Inputs]:
    """Generate inputs without a bird, by name: a black and a noisy frame, or silence and noise.

    Args:
        run: A complete run.
        tower: One of `convert.TOWERS`; the fusion has no synthetic inputs.
    """
    rng = np.random.default_rng(0)
    if tower == Sense.IMAGE:
        size = run.backbone.spec.size_px
        frames = {
            "black frame": np.zeros((size, size, 3), np.uint8),
            "noise": rng.integers(0, 256, (size, size, 3)).astype(np.uint8),
        }
        return {
            name: {Sense.IMAGE: preprocess(frame, run.backbone.spec)[None, None]}
            for name, frame in frames.items()
        }
    if tower == Sense.AUDIO:
        frontend, window = run.frontend(), run.audio_spec.window
        sounds = {
            "silence": np.zeros(window, np.float32),
            "noise": rng.normal(0, 0.1, window).astype(np.float32),
        }
        return {
            name: {Sense.AUDIO: frontend.embed(sound)[None, None]} for name, sound in sounds.items()
        }
    return {}
