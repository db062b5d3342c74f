"""Any model with TF-Hub's google/yamnet/1 interface, converted once to the float frontend."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from birdfield import atomic
from birdfield.config import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, check_sha256
from birdfield.errors import InputError
from birdfield.frontend import YAMNET, Yamnet


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
    done = subprocess.run([sys.executable, "-m", "birdfield_train.yamnet", source, str(path)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise InputError(f"{source}: cannot be converted ({last[:200]}); expected a SavedModel "
                         "folder or URL with the interface of google/yamnet/1")
    Yamnet(path)


def convert_yamnet(source: str) -> bytes:
    """Convert a YAMNet to TFLite: waveform [15600] -> embeddings [1, 1024], scores [1, 521].

    One patch at a time: its log-mel frames are those of the same samples in a longer waveform.
    """
    import tensorflow as tf
    import tensorflow_hub

    class Patch(tf.Module):
        """One patch of the loaded model, under a signature."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec([YAMNET.patch], tf.float32, name="waveform")])
        def embed(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
            scores, embeddings, _ = self.model(waveform)
            return {"scores": scores, "embeddings": embeddings}

    patch = Patch(tensorflow_hub.load(source))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(patch, folder, signatures={"embed": patch.embed})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
        return bytes(converter.convert())


if __name__ == "__main__":
    atomic.write_file(Path(sys.argv[2]), convert_yamnet(sys.argv[1]))
