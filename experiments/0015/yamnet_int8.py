"""Record 0015: parity, size and time of YAMNet by the kind of quantisation.

    python experiments/0015/yamnet_int8.py DATA OUT.csv

YAMNet begins at the log-mel spectrogram. Variants: static quantisation with ranges from recordings
of DATA/audio and activations of 8 or 16 bits; int8 kernels alone, with float inputs quantised at
run time, as `tools/quantise_yamnet.py` makes them. Each is compared with the float file: cosines of
embeddings and bands, patch by patch, on other recordings, on DATA/../negatives/audio, on silence
and on noise; how often `is_background` gives the same answer; audio top-1 out of fold, fitted on
the float features; size; time of a patch, interleaved. Needs the train extra.
"""

import csv
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from birdfield.model.audio_specs import EMBEDDING, YAMNET
from birdfield.model.encoder import DIM, unit
from birdfield.model.log_mel import log_mel
from birdfield.model.tflite import SingleInputModel
from birdfield.model.yamnet import CLASSES
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_INT8
from birdfield.recognise.bird_gate import is_background
from birdfield.recognise.dataset import Dataset, scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield.signals.windows import cut_patches, repeat_patches, window_starts
from birdfield_train.projection import discriminant

sys.path.append(str(Path(__file__).parents[2] / "tools"))
from quantise_yamnet import cut, pack  # noqa: E402

CALIBRATION, ROUNDS, FOLDS = 120, 150, 5
AUDIO_SHRINKAGE = 0.3  # of the audio tower's start at the time of the record
MOST = YAMNET.window + YAMNET.stride  # samples of a recording that are used: two windows

Array = NDArray[np.float32]


def rebuild(content: bytes) -> tf.Module:
    """Rebuild the network from the weights of its file, layer by layer."""
    whole = Interpreter(
        model_content=content,
        experimental_op_resolver_type=(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
        experimental_preserve_all_tensors=True,
    )
    whole.allocate_tensors()
    shapes = {detail["index"]: detail["shape"] for detail in whole.get_tensor_details()}
    steps = [
        (
            row["op_name"],
            list(row["inputs"]),
            list(row["outputs"]),
            [whole.get_tensor(place) for place in row["inputs"][1:3]]
            if row["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
            else [],
        )
        for row in whole._get_ops_details()
    ]

    class Patch(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 96, 64, 1], tf.float32, name="log_mel")])
        def embed(self, log_mel: tf.Tensor) -> dict[str, tf.Tensor]:
            made = {steps[0][1][0]: log_mel}
            for name, inputs, outputs, weights in steps:
                value = made[inputs[0]]
                if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                    step = -(-value.shape[1] // int(shapes[outputs[0]][1]))
                    if name == "CONV_2D":
                        value = tf.nn.conv2d(value, weights[0].transpose(1, 2, 3, 0), step, "SAME")
                    else:
                        kernel = weights[0].transpose(1, 2, 3, 0)
                        value = tf.nn.depthwise_conv2d(value, kernel, [1, step, step, 1], "SAME")
                    value = tf.nn.relu(value + weights[1])
                elif name == "MEAN":
                    value = tf.reduce_mean(value, axis=[1, 2])
                elif name == "FULLY_CONNECTED":
                    value = value @ weights[0].T + weights[1]
                elif name == "LOGISTIC":
                    value = tf.sigmoid(value)
                elif name == "AVERAGE_POOL_2D":
                    value = tf.nn.avg_pool2d(value, [12, 1], [12, 1], "VALID")
                elif name == "MAX_POOL_2D":
                    value = tf.nn.max_pool2d(value, [12, 1], [12, 1], "VALID")
                elif name == "CONCATENATION":
                    value = tf.concat([made[place] for place in inputs], axis=1)
                else:
                    value = tf.reshape(value, [1, -1])
                made[outputs[0]] = value
            by_size = {
                made[detail["index"]].shape[-1]: made[detail["index"]]
                for detail in whole.get_output_details()
            }
            return {
                "a_scores": by_size[521],
                "b_bands": by_size[4096],
                "c_embeddings": by_size[EMBEDDING],
            }

    return Patch()


def static(content: bytes, spectrograms: list[Array], wide: bool) -> bytes:
    """Return the model converted with int8 weights, and 16-bit activations when `wide`."""
    module = rebuild(content)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.embed.get_concrete_function()], module
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [frames[None, ..., None]] for frames in spectrograms
    )
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        if wide
        else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    ]
    return bytes(converter.convert())


def spectrograms_of(waveform: Array) -> list[Array]:
    return [log_mel(np.ascontiguousarray(patch)) for patch in cut_patches(waveform, YAMNET)]


def run(model: SingleInputModel, frames: Array) -> Array:
    """Return embedding, bands and scores, [5641], for any order of the outputs."""
    found = {values.shape[-1]: values[0] for values in model.outputs(frames[None, ..., None])}
    return np.concatenate([found[EMBEDDING], found[4096], found[CLASSES]])


def top1(dataset: Dataset, fitted: list[Array], read: list[Array]) -> float:
    """Return top-1 out of fold, fitted on some windows of the recordings, tested on others."""
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio], np.int64)
    folds = fold_of(dataset.audio, assign_folds([*dataset.images, *dataset.audio], FOLDS, 0))
    owner = np.repeat(np.arange(len(read)), [len(rows) for rows in read])
    own, other, right = np.concatenate(fitted), np.concatenate(read), 0
    for fold in range(FOLDS):
        kept = folds[owner] != fold
        kernel, bias = discriminant(own[kept], labels[owner[kept]], DIM, AUDIO_SHRINKAGE)
        placed, asked = unit(own @ kernel + bias), unit(other @ kernel + bias)
        species = np.unique(labels[folds != fold])
        means = unit(
            np.stack([placed[kept & (labels[owner] == one)].mean(axis=0) for one in species])
        )
        for row in np.flatnonzero(folds == fold):
            mean = asked[owner == row].mean(axis=0)
            right += species[(means @ mean).argmax()] == labels[row]
    return right / len(read)


def windows_of(rows: Array) -> Array:
    """Return mean and maximum of each window of a recording, [W, 10240]."""
    rows = rows[:, : YAMNET.dim]
    cut = np.stack(
        [
            repeat_patches(
                rows[start : start + YAMNET.patches_per_window], YAMNET.patches_per_window
            )
            for start in window_starts(len(rows), YAMNET.patches_per_window)
        ]
    )
    return np.concatenate([cut.mean(axis=1), cut.max(axis=1)], axis=1)


def times_ms(models: list[SingleInputModel], frames: Array) -> list[float]:
    """Return the median times, measured in interleaved rounds."""
    times: list[list[float]] = [[] for _ in models]
    for number in range(ROUNDS + 10):
        for model, own in zip(models, times, strict=True):
            started = time.perf_counter()
            run(model, frames)
            if number >= 10:
                own.append(1000 * (time.perf_counter() - started))
    return [float(np.median(own)) for own in times]


def main(data: Path, out: Path) -> None:
    """Measure each variant and write a row for each kind of sound."""
    dataset = scan_dataset(data / "images", data / "audio")
    rng = np.random.default_rng(0)
    spectrograms = [
        spectrograms_of(read_audio(sample.path, YAMNET.rate_hz)[:MOST]) for sample in dataset.audio
    ]
    picked = rng.permutation(len(spectrograms))
    ranges = [
        spectrograms[row][int(rng.integers(len(spectrograms[row])))] for row in picked[:CALIBRATION]
    ]
    tested = {
        "birds": [spectrograms[row] for row in picked[CALIBRATION:]],
        "no bird": [
            spectrograms_of(read_audio(path, YAMNET.rate_hz)[:MOST])
            for path in sorted((data.parent / "negatives" / "audio").iterdir())[::3]
        ],
        "silence and noise": [
            spectrograms_of(rng.normal(0, level, MOST).astype(np.float32))
            for level in (0, 0.001, 0.1)
        ],
    }
    content = pack(cut(PACKAGED_YAMNET.read_bytes()))
    files = {
        "float": content,
        "static int8": static(content, ranges, wide=False),
        "static int8, activations of 16 bits": static(content, ranges, wide=True),
        "int8 kernels": PACKAGED_YAMNET_INT8.read_bytes(),
    }
    models = {name: SingleInputModel(Path(name), 1, file) for name, file in files.items()}
    medians = times_ms(list(models.values()), ranges[0])
    exact = [np.stack([run(models["float"], frames) for frames in own]) for own in spectrograms]
    fitted = [windows_of(rows) for rows in exact]
    table = [
        [
            "variant",
            "size_bytes",
            "ms",
            "top1",
            "sound",
            "patches",
            "embedding_mean",
            "embedding_least",
            "bands_mean",
            "bands_least",
            "same_birdless",
        ]
    ]
    for (name, model), median in zip(models.items(), medians, strict=True):
        step = 8 if name.endswith("bits") else 1  # no fast kernels: too slow for all recordings
        read = (
            [windows_of(np.stack([run(model, frames) for frames in own])) for own in spectrograms]
            if step == 1
            else []
        )
        right = f"{top1(dataset, fitted, read):.4f}" if read else ""
        for sound, recordings in tested.items():
            pairs = [
                (
                    np.stack([run(models["float"], frames) for frames in own]),
                    np.stack([run(model, frames) for frames in own]),
                )
                for own in recordings[::step]
            ]
            same = np.mean(
                [
                    is_background(one[:, YAMNET.dim :]) == is_background(other[:, YAMNET.dim :])
                    for one, other in pairs
                ]
            )
            one, other = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
            row = [name, len(files[name]), f"{median:.2f}", right, sound, len(one)]
            for part in (slice(EMBEDDING), slice(EMBEDDING, YAMNET.dim)):
                near = (unit(one[:, part]) * unit(other[:, part])).sum(axis=1)
                row += [f"{near.mean():.5f}", f"{near.min():.5f}"]
            table.append([str(cell) for cell in (*row, f"{same:.4f}")])
            print(*table[-1], sep=",", flush=True)
    with out.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
