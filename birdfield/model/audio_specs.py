"""Audio specs: the sound that each frontend reads, and the shape of its embeddings."""

from birdfield.errors import UsageError
from birdfield.signals.windows import AudioSpec

# YAMNet reads patches of 0.975 s, which are 96 log-mel frames of 25 ms, 10 ms apart; 48 frames are
# a hop, and 10 patches a window of 5.295 s. Its embedding is followed by the mean and the peak over
# time of an inner layer in eight bands of frequency: docs/decisions/0007-yamnet-bands.md.
EMBEDDING = 1024
BAND_MAPS = (12, 8, 256)  # shape of the inner layer: time, frequency, channels
BANDS = 2 * BAND_MAPS[1] * BAND_MAPS[2]
YAMNET = AudioSpec(
    "yamnet", rate_hz=16_000, patch=15_600, hop=7_680, patches_per_window=10, dim=EMBEDDING + BANDS
)
# BirdNET reads patches of 3 s, 1.5 s apart, in windows of 6 s
# (docs/decisions/0006-birdnet-frontend.md). Its embedding is followed by a projection of the scores
# of its 6,522 classes (docs/decisions/0019-class-evidence.md).
CLASS_PROJECTION = 256
BIRDNET = AudioSpec(
    "birdnet",
    rate_hz=48_000,
    patch=144_000,
    hop=72_000,
    patches_per_window=3,
    dim=EMBEDDING + CLASS_PROJECTION,
    class_dim=CLASS_PROJECTION,
    padded=False,
)
SPECS = {spec.name: spec for spec in (YAMNET, BIRDNET)}


def spec_of(name: str) -> AudioSpec:
    """Return the spec of a frontend.

    Raises:
        UsageError: When there is no frontend of that name.
    """
    if name not in SPECS:
        raise UsageError(f"no frontend {name!r}; expected one of {', '.join(SPECS)}")
    return SPECS[name]
