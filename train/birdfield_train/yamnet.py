"""YAMNet conversion: any model with the interface of google/yamnet/1 to the TFLite frontend."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any  # tensors and graphs of TensorFlow, which has no types

from birdfield import atomic
from birdfield.errors import InputError
from birdfield.model.audio_specs import BAND_MAPS, YAMNET
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, check_sha256

# Layer 5's pointwise convolution and layer 6's depthwise and pointwise ones have maps of the shape
# BAND_MAPS (Plakal and Ellis, 2020); this is the index of the first.
LAYER_5 = 0


def provide_yamnet(source: str | None, path: Path) -> None:
    """Write the YAMNet of a run: the packaged one, or another one converted.

    Args:
        source: A SavedModel folder or a TF-Hub URL; None for the packaged weights.
        path: The TFLite file to write.

    Raises:
        InputError: When the source cannot be loaded or is not a YAMNet.
    """
    if source is None:
        check_sha256(PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256)
        atomic.write_file(path, PACKAGED_YAMNET.read_bytes())
        return
    # In a process of its own, so that a crash of the converter becomes an error message.
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

    The file reads one patch at a time, whose log-mel frames equal those of the same samples in a
    longer waveform. `embeddings` [1, 1024] and `scores` [1, 521] are the model's own. `bands`
    [1, 4096] are the maps [12, 8, 256] (time, frequency, channels) of layer 5: their mean over
    time, then their maximum. They keep the pitch, which the embedding averages out.

    Raises:
        ValueError: When the model has no maps of that shape.
    """
    import tensorflow as tf
    import tensorflow_hub
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    model = tensorflow_hub.load(source)
    waveform = tf.TensorSpec([YAMNET.patch], tf.float32, name="waveform")
    # With constants, in one flat graph, because tensors inside the model's functions are hidden.
    whole = convert_variables_to_constants_v2(
        tf.function(lambda waveform: model(waveform)[:2]).get_concrete_function(waveform)
    )
    read = whole.prune(whole.inputs, [*whole.outputs, _layer_5(whole.graph)])

    class Patch(tf.Module):
        """The loaded model for one patch, with a signature."""

        @tf.function(input_signature=[waveform])
        def embed(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
            scores, embeddings, maps = read(waveform)
            # Pools instead of reductions, because the delegate of every runtime supports pools.
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
    """Find the maps of YAMNet's layer 5: the first rectified ones of the shape BAND_MAPS."""
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
    """Count the operations that a tensor depends on; a later tensor depends on more."""
    seen, waiting = set(), [tensor.op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [entry.op for entry in operation.inputs]
    return len(seen)


if __name__ == "__main__":
    atomic.write_file(Path(sys.argv[2]), convert_yamnet(sys.argv[1]))
