"""Ratios: compares the median times of image towers, and of BirdNET."""

from collections.abc import Sequence

from birdfield.bench.timing import Timings
from birdfield.model.audio_specs import YAMNET
from birdfield.model.bundle import Bundle
from birdfield.model.manifest import Manifest
from birdfield.model.sense import Sense

IMAGE_RATIOS = (  # a name, and the kinds of image tower above and below the line
    ("image_int8_vs_vgg16_int8", "small int8", "vgg16 int8"),
    ("image_int8_vs_vgg16_fp32", "small int8", "vgg16 float"),
    ("vgg16_int8_vs_fp32", "vgg16 int8", "vgg16 float"),
)


def median_ratios(
    models: Sequence[tuple[Bundle, Timings]], birdnet: Timings | None
) -> dict[str, float]:
    """Return the ratios of medians for which there are timings.

    The first model of a kind counts.
    """
    images: dict[str, float] = {}
    for bundle, timings in models:
        images.setdefault(image_kind(bundle.manifest), timings["image_tower"].p50_ms)
    heard = [
        timings["audio_3s"].p50_ms for bundle, timings in models if bundle.audio_spec is YAMNET
    ]
    found = {}
    if birdnet and heard:
        found["audio_3s_vs_birdnet"] = heard[0] / birdnet["audio_3s"].p50_ms
    for name, above, below in IMAGE_RATIOS:
        if above in images and below in images:
            found[name] = images[above] / images[below]
    return {name: round(value, 4) for name, value in found.items()}


def image_kind(manifest: Manifest) -> str:
    """Return the size and the precision of an image tower, such as "vgg16 int8"."""
    size = "vgg16" if manifest.image_backbone == "vgg16" else "small"
    return f"{size} {manifest.towers[Sense.IMAGE].precision}"
