"""EfficientNet-Lite0: packs its base at 8 bits.

    python tools/pack_efficientnet_lite0.py WEIGHTS.npz

WEIGHTS.npz contains the PyTorch weights by name, kernels as [out, in, height, width].
"""

import re
import sys
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from birdfield.paths import file_sha256
from birdfield_train.backbones.efficientnet_lite0 import PACKED, architecture
from birdfield_train.packed_weights import save_packed

EPSILON = 1e-3  # of the batch normalisation
NORM = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}

Arrays = Mapping[str, NDArray[np.float32]]


def folded(arrays: Arrays, kernel: str, norm: str) -> list[NDArray[np.float32]]:
    """Fold a batch normalisation into its convolution; return kernel and bias in Keras order."""
    mean, variance = arrays[f"{norm}.running_mean"], arrays[f"{norm}.running_var"]
    factor = arrays[f"{norm}.weight"] / np.sqrt(variance + EPSILON)
    weight = arrays[f"{kernel}.weight"] * factor[:, None, None, None]
    # PyTorch: [out, in, h, w]; Keras: [h, w, in, out], depthwise [h, w, channels, 1]. A depthwise
    # kernel of PyTorch is [channels, 1, h, w]: its "out" is the channels of Keras.
    order = (2, 3, 0, 1) if "depthwise" in kernel else (2, 3, 1, 0)
    return [weight.transpose(order), arrays[f"{norm}.bias"] - mean * factor]


def main() -> None:
    """Fold and quantise the weights, write them to the package, and print the new PACKED_SHA256."""
    with np.load(sys.argv[1]) as saved:
        arrays = {name: saved[name].astype(np.float32) for name in saved.files}
    base = architecture()
    weights: list[NDArray[np.float32]] = []
    for layer in base.layers:
        match = re.fullmatch(r"block(\d+)_(expand|depthwise|project)", layer.name)
        if match:
            place = f"_blocks.{match[1]}."
            weights += folded(arrays, f"{place}_{match[2]}_conv", place + NORM[match[2]])
        elif layer.name in ("stem", "head"):
            weights += folded(
                arrays, f"_conv_{layer.name}", {"stem": "_bn0", "head": "_bn1"}[layer.name]
            )
    base.set_weights(weights)
    save_packed(PACKED, base.get_weights())
    print(file_sha256(PACKED))


if __name__ == "__main__":
    main()
