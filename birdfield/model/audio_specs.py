"""Audio specs: the sound each frontend reads, and the shape of the embeddings it makes."""

from birdfield.errors import UsageError
from birdfield.signals.windows import AudioSpec

# 96 log-mel frames a patch, 10 ms apart and 25 ms long; 48 of them a hop; windows of 5.295 s.
# An embedding and, of an inner layer, the mean and the peak over time of eight bands of frequency:
# docs/decisions/0007-yamnet-bands.md.
EMBEDDING = 1024
BAND_MAPS = (12, 8, 256)  # time, frequency, channels
BANDS = 2 * BAND_MAPS[1] * BAND_MAPS[2]
YAMNET = AudioSpec(
    "yamnet", rate_hz=16_000, patch=15_600, hop=7_680, patches_per_window=10, dim=EMBEDDING + BANDS
)
# 3 s a patch, 1.5 s a hop, windows of 6 s: docs/decisions/0006-birdnet-frontend.md. An embedding
# and what its 6,522 classes say of it: docs/decisions/0019-class-evidence.md.
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
    """Find a frontend by its name.

    Raises:
        UsageError: When there is none of that name.
    """
    if name not in SPECS:
        raise UsageError(f"no frontend {name!r}; expected one of {', '.join(SPECS)}")
    return SPECS[name]
