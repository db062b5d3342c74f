"""Final fit: trains the heads on all samples, and builds the gallery of the run."""

from dataclasses import dataclass, replace
from pathlib import Path

from birdfield.model.gallery import Gallery
from birdfield_train.background import with_background
from birdfield_train.config import StageEpoch
from birdfield_train.crossval import Selected, TrainingJob
from birdfield_train.factory import build_gallery
from birdfield_train.fine_tune import POOLED_VIEWS, Tail, pool_images, tuned_tail
from birdfield_train.fit import Fitter
from birdfield_train.samples import Split

STAGE = "final"


@dataclass(frozen=True)
class FinalFit:
    """The heads that were trained on all samples.

    Attributes:
        fitter: Holds the heads, with the chosen gain.
        split: All samples, with pooled features of the photographs.
        tail: The fine-tuned last stage of the base, or None.
    """

    fitter: Fitter
    split: Split
    tail: Tail | None

    def build_gallery(self, job: TrainingJob, selected: Selected) -> Gallery:
        """Build the gallery of all species, with prototypes of background."""
        heads, background = self.fitter.heads, job.samples.background
        fuse = heads.fusion_weights().fuse
        gallery = build_gallery(
            fuse, job.samples.species, *heads.embed_split(self.split), selected.calibration
        )
        gallery = with_background(
            gallery,
            fuse,
            heads.embed_images(pool_images(self.tail, background.images)),
            heads.embed_audio(background.audio),
        )
        return replace(gallery, thresholds=selected.thresholds)


def fit_all(
    job: TrainingJob, selected: Selected, tail_path: Path, on_epoch: StageEpoch
) -> FinalFit:
    """Train the heads on all samples for the chosen number of epochs.

    Args:
        job: The samples, and how they are fitted.
        selected: Supplies the epochs and the gain.
        tail_path: The file for the weights of a fine-tuned base.
        on_epoch: Called after each epoch.
    """
    split = job.samples.split(None)
    tail = tuned_tail(
        job.backbone,
        split,
        job.setup.seed,
        tail_path,
        lambda epochs, metrics: on_epoch(f"{STAGE} base", epochs, metrics),
    )
    split = replace(split, images=pool_images(tail, split.images, POOLED_VIEWS))
    fitter = Fitter(split, job.setup, job.checkpoints / "final.npz")
    if fitter.history:  # a kill may have come between the checkpoint and the callback
        on_epoch(STAGE, selected.epochs, fitter.history[-1])
    fitter.run(selected.epochs, lambda _, metrics: on_epoch(STAGE, selected.epochs, metrics))
    fitter.heads.set_gain(selected.gain)
    return FinalFit(fitter, split, tail)
