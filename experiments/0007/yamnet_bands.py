"""Record 0007: audio top-1 by the layer of YAMNet that supplies the features.

    python experiments/0007/yamnet_bands.py DATA [OUT.csv]

Compares the embedding with the mean and the peak over time of an inner layer's maps, as input of
the discriminant that the audio tower starts from; DATA/audio, out of fold. Needs ai-edge-litert.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import Dataset, scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield.signals.windows import cut_patches

sys.path.append(str(Path(__file__).parents[1] / "0013"))

import peaks_by_sound  # noqa: E402

LAYERS = (13, 10, 8, 5)  # in YAMNet's numbering; each ends in a 1 x 1 convolution
FOLDS, SEEDS = peaks_by_sound.FOLDS, peaks_by_sound.SEEDS
SHRINKAGE = 0.3

Array = NDArray[np.float32]


class InnerLayers:
    """The packaged YAMNet without a delegate, so that inner tensors can be read."""

    def __init__(self) -> None:
        """Find the layers: the convolutions in order, without the depthwise ones."""
        self._model = Interpreter(
            str(PACKAGED_YAMNET),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._model.allocate_tensors()
        ends = [
            operation["outputs"][0]
            for operation in self._model._get_ops_details()
            if operation["op_name"] == "CONV_2D"
        ]
        self._layers = {f"layer {layer}": ends[layer - 1] for layer in LAYERS}
        self._embedding = next(
            detail["index"]
            for detail in self._model.get_output_details()
            if tuple(detail["shape"]) == (1, 1024)
        )

    def __call__(self, waveform: Array) -> dict[str, Array]:
        """Return the features [T, F] of a waveform float32 [N] at 16 kHz, by layer."""
        found = [self._read(patch) for patch in cut_patches(waveform, YAMNET)]
        return {
            name: np.stack([one[name] for one in found]).astype(np.float16) for name in found[0]
        }

    def _read(self, patch: Array) -> dict[str, Array]:
        self._model.set_tensor(self._model.get_input_details()[0]["index"], patch)
        self._model.invoke()
        read = {"embedding": self._model.get_tensor(self._embedding)[0]}
        for name, tensor in self._layers.items():
            maps = self._model.get_tensor(tensor)[0]
            read[name] = np.concatenate([maps.mean(axis=0).ravel(), maps.max(axis=0).ravel()])
        return read


def top1(dataset: Dataset, frames: list[Array], standardised: bool) -> Iterator[float]:
    """Yield top-1 by the nearest species mean of the other folds, for each seed of the folds."""
    audio = dataset.audio
    labels = np.array([dataset.labels.index(sample.label) for sample in audio], np.int64)
    windows, owner = peaks_by_sound.pool_windows(frames, YAMNET.patches_per_window)

    def fit(own: Array, species: NDArray[np.int64]) -> Callable[[Array], Array]:
        spread = own.std(axis=0) + 1e-3 if standardised else np.float32(1)
        project = peaks_by_sound.discriminant_of(SHRINKAGE)(own / spread, species)
        return lambda rows: np.asarray(project(rows / spread))

    for seed in SEEDS:
        folds = fold_of(audio, assign_folds([*dataset.images, *audio], FOLDS, seed))
        yield peaks_by_sound.top1(fit, windows, owner, labels, folds)


def main() -> None:
    """Embed once, then measure each choice."""
    data = Path(sys.argv[1])
    dataset = scan_dataset(data / "images", data / "audio")
    model = InnerLayers()
    read = [model(read_audio(sample.path, YAMNET.rate_hz)) for sample in dataset.audio]
    both = "embedding and layer 5"
    for one in read:
        one[both] = np.concatenate([one["embedding"], one["layer 5"]], axis=1)
    choices = [*((name, False) for name in read[0]), (both, True)]
    table = [
        ["read", "standardised", "numbers", "n", *(f"seed_{seed}" for seed in SEEDS), "mean", "sd"]
    ]
    print(*table[0], sep=",")
    for name, standardised in choices:
        scores = list(top1(dataset, [one[name] for one in read], standardised))
        figures = [*scores, float(np.mean(scores)), float(np.std(scores))]
        table.append(
            [
                name,
                str(standardised).lower(),
                str(read[0][name].shape[1]),
                str(len(read)),
                *(f"{figure:.4f}" for figure in figures),
            ]
        )
        print(*table[-1], sep=",", flush=True)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", newline="") as stream:
            csv.writer(stream).writerows(table)


if __name__ == "__main__":
    main()
