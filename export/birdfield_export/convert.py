"""Conversion: a tower of a run to a TFLite file, in a process of its own."""

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
from birdfield.model.sense import Sense
from birdfield_export.tower_inputs import FUSION, Inputs, tower_inputs
from birdfield_train.run_encoder import Run
from birdfield_train.towers import audio_tower, fusion_tower

TOWERS = (Sense.IMAGE, Sense.AUDIO, FUSION)
CALIBRATION_INPUTS = 100  # that set the ranges; the converter needs half a second per picture
PRECISIONS = ("int8", "dynamic", "float")  # from the coarsest to the finest


def convert(run: Path, precisions: Mapping[str, str], folder: Path) -> None:
    """Convert towers in a subprocess, so that a crash of the converter becomes an error message.

    Args:
        run: A complete run.
        precisions: By tower, one of PRECISIONS.
        folder: Receives a file `TOWER.tflite` for each tower.

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
        current = (done.stdout.split() or wanted)[-1]
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        tower, _, precision = current.partition("=")
        raise InputError(
            f"{run}: the {tower} tower cannot be converted at {precision} "
            f"(exit {done.returncode}: {last[:200]})"
        )


def convert_here(run: Run, tower: str, precision: str) -> bytes:
    """Convert a tower in this process; return the content of the TFLite file."""
    model = build_tower(run, tower, precision)
    inputs = tower_inputs(run, tower)
    with tempfile.TemporaryDirectory() as folder:
        _save(model, inputs, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
        # Built-in operators only, because a Raspberry Pi's runtime has no others.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # Per-channel dense weights need an operator version that tflite-runtime 2.14 lacks.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if precision == "int8":
            converter.representative_dataset = _representative(inputs)
        return bytes(converter.convert())


def build_tower(run: Run, tower: str, precision: str) -> keras.Model:
    """Build a tower with the weights of a run, in the form that a precision requires.

    Args:
        run: A complete run.
        tower: One of TOWERS.
        precision: One of PRECISIONS.
    """
    if tower == Sense.IMAGE:
        return run.image_tower()
    if tower == Sense.AUDIO:
        audio = run.audio_spec
        # A rolled LSTM crashes the calibrator of full-integer conversion (tensorflow#75140).
        unroll = precision == "int8"
        model = audio_tower(audio.patches_per_window, audio.dim, 1, unroll, audio.class_dim)
        model.set_weights(run.heads.audio.get_weights())
        return model
    model = fusion_tower(batch_size=1)
    model.set_weights(run.heads.fusion.get_weights())
    return model


def _save(model: keras.Model, inputs: Inputs, folder: str) -> None:
    """Write a SavedModel with a signature that names the inputs."""
    names = list(inputs)  # in the order of the model's inputs

    class Tower(tf.Module):
        """The model behind a signature with named inputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            # Tracked one by one, because the converter loses the weights of nested models.
            self.tracked = [weight.value for weight in model.weights]

        @tf.function
        def embed(self, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            ordered = [tensors[name] for name in names]
            embedding = self.model(ordered if len(ordered) > 1 else ordered[0], training=False)
            return {"embedding": tf.reshape(embedding, [1, DIM])}

    module = Tower()
    shapes = {
        str(name): tf.TensorSpec(values.shape[1:], tf.float32, name=str(name))
        for name, values in inputs.items()
    }
    signature = module.embed.get_concrete_function(**shapes)
    tf.saved_model.save(module, folder, signatures={"embed": signature})


def _representative(inputs: Inputs) -> Callable[[], Iterator[dict[str, NDArray[np.float32]]]]:
    """Return a source of inputs by name, because the converter may reorder a model's inputs."""
    for name, values in inputs.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"calibration data of input {name} holds values that are not finite; "
                "train the run again"
            )

    def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
        for row in range(min(CALIBRATION_INPUTS, len(next(iter(inputs.values()))))):
            yield {str(name): values[row] for name, values in inputs.items()}

    return samples


def _main(run: str, folder: str, *wanted: str) -> None:
    """Convert towers, each named as TOWER=PRECISION."""
    opened = Run(Path(run))
    for entry in wanted:
        print(entry, flush=True)  # so that the parent process can name a conversion that crashes
        tower, precision = entry.split("=")
        atomic.write_file(Path(folder) / f"{tower}.tflite", convert_here(opened, tower, precision))


if __name__ == "__main__":
    _main(*sys.argv[1:])
