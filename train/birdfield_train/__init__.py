"""Training on a workstation: data, towers, triplets, fits and cross-validation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from birdfield_train.fused_encoder import create_fused_encoder
    from birdfield_train.triplets import Triplet, prepare_triplets

__all__ = ["Triplet", "create_fused_encoder", "prepare_triplets"]


def __getattr__(name: str) -> object:
    """Import a name on first use, because the toy aviary needs no TensorFlow."""
    if name == "create_fused_encoder":
        from birdfield_train.fused_encoder import create_fused_encoder

        return create_fused_encoder
    if name in ("Triplet", "prepare_triplets"):
        from birdfield_train import triplets

        return getattr(triplets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
