"""One tower of a run to one TFLite file, in a process of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.errors import InputError
from birdfield.model.encoder import DIM
from birdfield_export.calibrate import Inputs, tower_inputs
from birdfield_train.run_encoder import Run
from birdfield_train.towers import audio_tower, fusion_tower

TOWERS = ("image", "audio", "fusion")
CALIBRATED = 100  # inputs that set the ranges; the calibrator takes half a second a picture
PRECISIONS = ("int8", "dynamic", "float")  # each one step finer than the one before


def convert(run: Path, precisions: Mapping[str, str], folder: Path) -> None:
    """Convert towers in a subprocess: a converter that crashes must end in a sentence.

    Args:
        run: A finished run.
        precisions: One of PRECISIONS by tower.
        folder: Where each `TOWER.tflite` is written.

    Raises:
        InputError: When the converter fails.
    """
    wanted = [f"{tower}={precision}" for tower, precision in precisions.items()]
    done = subprocess.run(
        [sys.executable, "-m", "birdfield_export.convert", str(run), str(folder), *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        begun = (done.stdout.split() or wanted)[-1]
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        tower, _, precision = begun.partition("=")
        raise InputError(
            f"{run}: the {tower} tower cannot be converted at {precision} "
            f"(exit {done.returncode}: {last[:200]})"
        )


def convert_here(run: Run, tower: str, precision: str) -> bytes:
    """Convert a tower in this process; returns the TFLite file's content."""
    model = build_tower(run, tower, precision)
    inputs = tower_inputs(run, tower)
    with tempfile.TemporaryDirectory() as folder:
        _save(model, inputs, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
        # Only built-in operators: anything else would need a runtime that a Pi does not have.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # Per-channel dense weights need an operator version that tflite-runtime 2.14 lacks.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if precision == "int8":
            converter.representative_dataset = _representative(inputs)
        return bytes(converter.convert())


def build_tower(run: Run, tower: str, precision: str) -> keras.Model:
    """Build a tower with the run's weights, at batch 1, as its precision needs it."""
    heads = run.heads
    if tower == "image":
        return run.image_tower()
    if tower == "audio":
        # A rolled LSTM crashes the calibrator of full-integer conversion (tensorflow#75140).
        audio = run.audio_spec
        model = audio_tower(
            audio.patches_per_window, audio.dim, 1, precision == "int8", audio.class_dim
        )
        model.set_weights(heads.audio.get_weights())
        return model
    model = fusion_tower(batch_size=1)
    model.set_weights(heads.fusion.get_weights())
    return model


def _save(model: keras.Model, inputs: Inputs, folder: str) -> None:
    names = list(inputs)  # in the order of the model's own

    class Tower(tf.Module):
        """The model under a signature with named inputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            # Tracked one by one: the converter loses those of a model within a model.
            self.held = [weight.value for weight in model.weights]

        @tf.function
        def embed(self, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            ordered = [tensors[name] for name in names]
            embedding = self.model(ordered if len(ordered) > 1 else ordered[0], training=False)
            return {"embedding": tf.reshape(embedding, [1, DIM])}

    module = Tower()
    shapes = {
        name: tf.TensorSpec(values.shape[1:], tf.float32, name=name)
        for name, values in inputs.items()
    }
    signature = module.embed.get_concrete_function(**shapes)
    tf.saved_model.save(module, folder, signatures={"embed": signature})


def _representative(inputs: Inputs) -> Callable[[], Iterator[dict[str, NDArray[np.float32]]]]:
    """Yield calibration data as dicts: the converter may reorder a model's inputs."""
    for name, values in inputs.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"calibration data of input {name} holds values that are no finite "
                "numbers; train the run again"
            )

    def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
        for row in range(min(CALIBRATED, len(next(iter(inputs.values()))))):
            yield {name: values[row] for name, values in inputs.items()}

    return samples


def _main(run: str, folder: str, *wanted: str) -> None:
    opened = Run(Path(run))
    for entry in wanted:
        print(entry, flush=True)  # so that a crash has a name
        tower, precision = entry.split("=")
        atomic.write_file(Path(folder) / f"{tower}.tflite", convert_here(opened, tower, precision))


if __name__ == "__main__":
    _main(*sys.argv[1:])
