"""VGG16: packs its base at 8 bits from Keras weights: python tools/pack_vgg16.py FILE."""

import sys

import keras

from birdfield.paths import file_sha256
from birdfield_train.backbones.vgg16 import PACKED
from birdfield_train.packed_weights import save_packed


def main() -> None:
    """Quantise the weights, write them to the package, and print the new PACKED_SHA256."""
    base = keras.applications.VGG16(include_top=False, weights=sys.argv[1])
    save_packed(PACKED, base.get_weights())
    print(file_sha256(PACKED))


if __name__ == "__main__":
    main()
