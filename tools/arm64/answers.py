"""Answers: prints a model's embeddings as JSON: python tools/arm64/answers.py MODEL FILES...

tools/arm64/check.py runs it on this machine and in each arm64 root. It needs the base package only.
"""

import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from birdfield.model.bundle import load_bundle
from birdfield.model.encoder import Encoder
from birdfield.model.tflite import interpreter_class
from birdfield.paths import resolve_model
from birdfield.recognise.embed import embed_file, pool_samples


def embeddings(encoder: Encoder, files: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield the embeddings of each file, and of the first picture and sound as a pair."""
    first: dict[str, Any] = {}
    for path in files:
        parts = list(embed_file(encoder, path))
        for part in parts:
            name = path.name if part.start_s is None else f"{path.name} {part.start_s:.1f} s"
            sense, tower = (
                ("image", part.image) if part.image is not None else ("audio", part.audio)
            )
            assert tower is not None  # a part holds one of the two
            first.setdefault(sense, pool_samples(parts))
            yield {"of": name, "tower": sense, "vector": tower.tolist()}
            yield {
                "of": name,
                "tower": "fusion",
                "vector": encoder.fuse(part.image, part.audio).tolist(),
            }
    both = encoder.fuse(first["image"].image, first["audio"].audio)
    yield {"of": "the first pair", "tower": "fusion", "vector": both.tolist()}


def main() -> None:
    """Print one JSON object."""
    encoder = load_bundle(resolve_model(Path(sys.argv[1]))).encoder()
    rows = list(embeddings(encoder, [Path(name) for name in sys.argv[2:]]))
    runtime = interpreter_class().__module__.partition(".")[0].replace("_", "-")
    print(
        json.dumps(
            {
                "machine": platform.machine(),
                "python": platform.python_version(),
                "runtime": f"{runtime} {version(runtime)}",
                "numpy": version("numpy"),
                "rows": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
