"""Any model with TF-Hub's google/yamnet/1 interface, converted once to the float frontend."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from birdfield import atomic
from birdfield.errors import InputError
from birdfield.model.audio_specs import BAND_MAPS, YAMNET
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, check_sha256

# Layer 5's pointwise convolution and layer 6's depthwise and pointwise ones end in maps of this
# shape (Plakal and Ellis, 2020): the first is wanted.
LAYER_5 = 0


def provide_yamnet(source: str | None, path: Path) -> None:
    """Write the run's YAMNet: the packaged one, or a conversion of another.

    Args:
        source: A SavedModel folder or a TF-Hub URL; None for the packaged weights.
        path: The TFLite file to write.

    Raises:
        InputError: When the source cannot be loaded or is no YAMNet.
    """
    if source is None:
        check_sha256(PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256)
        atomic.write_file(path, PACKAGED_YAMNET.read_bytes())
        return
    # In a process of its own: a converter that crashes must end in a sentence.
    done = subprocess.run(
        [sys.executable, "-m", "birdfield_train.yamnet", source, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise InputError(
            f"{source}: cannot be converted ({last[:200]}); expected a SavedModel "
            "folder or URL with the interface of google/yamnet/1"
        )
    Yamnet(path)


def convert_yamnet(source: str) -> bytes:
    """Convert a YAMNet to TFLite: waveform [15600] -> embeddings, scores and bands.

    One patch at a time: its log-mel frames are those of the same samples in a longer waveform.
    `embeddings` [1, 1024] and `scores` [1, 521] are the model's own. `bands` [1, 4096] are the
    maps [12, 8, 256] (time, frequency, channels) of its layer 5, first their mean over time, then
    their maximum: what is averaged away on the way to the embedding is, above all, pitch.

    Raises:
        ValueError: When the model has no such maps.
    """
    import tensorflow as tf
    import tensorflow_hub
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    model = tensorflow_hub.load(source)
    waveform = tf.TensorSpec([YAMNET.patch], tf.float32, name="waveform")
    # Constants in one flat graph: what is within the model's own functions cannot be read.
    whole = convert_variables_to_constants_v2(
        tf.function(lambda waveform: model(waveform)[:2]).get_concrete_function(waveform)
    )
    read = whole.prune(whole.inputs, [*whole.outputs, _layer_5(whole.graph)])

    class Patch(tf.Module):
        """One patch of the loaded model, under a signature."""

        @tf.function(input_signature=[waveform])
        def embed(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
            scores, embeddings, maps = read(waveform)
            # Pools, and not reductions, so that every runtime's delegate takes them.
            size = [BAND_MAPS[0], 1]
            bands = tf.concat(
                [
                    tf.nn.avg_pool2d(maps, size, size, "VALID"),
                    tf.nn.max_pool2d(maps, size, size, "VALID"),
                ],
                axis=1,
            )
            return {
                "scores": scores,
                "embeddings": embeddings,
                "bands": tf.reshape(bands, [1, 2 * BAND_MAPS[1] * BAND_MAPS[2]]),
            }

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(patch := Patch(), folder, signatures={"embed": patch.embed})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
        return bytes(converter.convert())


def _layer_5(graph: Any) -> Any:
    """Find the maps of YAMNet's layer 5, by their shape and by how many such go before them."""
    found = [
        op.outputs[0]
        for op in graph.get_operations()
        if op.type.startswith("Relu")
        and op.outputs[0].shape.rank == 4
        and tuple(op.outputs[0].shape[1:]) == BAND_MAPS
    ]
    found.sort(key=_ancestors)
    if len(found) <= LAYER_5:
        shape = " x ".join(map(str, BAND_MAPS))
        raise ValueError(
            f"it has {len(found)} rectified maps of {shape}, and YAMNet has 3: "
            "it is another network"
        )
    return found[LAYER_5]


def _ancestors(tensor: Any) -> int:
    """Count the operations that a tensor is made by: fewer than any that is made of it."""
    seen, waiting = set(), [tensor.op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [entry.op for entry in operation.inputs]
    return len(seen)


if __name__ == "__main__":
    atomic.write_file(Path(sys.argv[2]), convert_yamnet(sys.argv[1]))
