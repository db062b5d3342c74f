"""VGG16: its convolutional base (Simonyan and Zisserman, arXiv 1409.1556), ImageNet weights."""

from pathlib import Path

import keras

from birdfield.errors import InputError
from birdfield.paths import file_sha256
from birdfield.signals.image import ImageSpec
from birdfield_train.backbones import Backbone
from birdfield_train.packed_weights import load_packed

PACKED = Path(__file__).parents[1] / "weights" / "vgg16_imagenet_int8.npz"
PACKED_SHA256 = "6e9b152447ea774acc98e54b774c76db4e50f3640526e8035527617e7a2626a4"
SPEC = ImageSpec(size_px=224, order="BGR", mean=(103.939, 116.779, 123.68))
CHANNELS = 512
HEAD_RATE = 0.1  # its maps are about ten times as large as EfficientNet-Lite0's
LICENCE = "VGG16 ImageNet weights: Visual Geometry Group, University of Oxford, CC BY 4.0"


def backbone(weights: Path | None = None) -> Backbone:
    """Describe the base, with the packaged 8-bit weights or with a Keras weights file.

    Raises:
        InputError: When the given file cannot be read.
    """
    key = f"vgg16-{_file_key(weights) if weights else PACKED_SHA256[:16]}"
    return Backbone(
        "vgg16", SPEC, CHANNELS, lambda: _build(weights), LICENCE, key, head_rate=HEAD_RATE
    )


def _build(weights: Path | None) -> keras.Model:
    base = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(SPEC.size_px, SPEC.size_px, 3)
    )
    if weights is None:
        base.set_weights(load_packed(PACKED, PACKED_SHA256))
        return base
    try:
        base.load_weights(weights)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"{weights}: not weights of VGG16's convolutional base "
            f"({str(error).splitlines()[0][:120]}); expected a Keras file of "
            "VGG16(include_top=False)"
        ) from error
    return base


def _file_key(path: Path) -> str:
    try:
        return file_sha256(path)[:16]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
