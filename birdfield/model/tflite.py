"""Running TFLite files by signature, on whichever runtime this machine has."""

import importlib
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError, MissingError, UsageError

RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
SIGNATURE = "embed"

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def interpreter_class() -> Any:
    """Find the TFLite interpreter: BIRDFIELD_RUNTIME's, else the first that is installed.

    Raises:
        UsageError: When BIRDFIELD_RUNTIME names no known runtime.
        MissingError: When none is installed.
    """
    wanted = os.environ.get("BIRDFIELD_RUNTIME")
    if wanted and wanted not in RUNTIMES:
        raise UsageError(f"BIRDFIELD_RUNTIME is {wanted!r}; expected one of {', '.join(RUNTIMES)}")
    for name in [wanted] if wanted else RUNTIMES:
        try:
            module = importlib.import_module(RUNTIMES[name])
        except ImportError:
            continue
        log.info("TFLite runtime: %s", name)
        return module.Interpreter
    raise MissingError(
        f"no TFLite runtime is installed ({wanted or 'any'} was asked for); "
        f"run: pip install {wanted or 'ai-edge-litert'}"
    )


class TfliteModel:
    """One TFLite file, run by its signature from memory of its own. Not thread-safe."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the file.

        Args:
            path: A TFLite file with a signature called "embed".
            threads: Threads of the interpreter, fixed for its life.

        Raises:
            InputError: When the file cannot be loaded by this runtime.
        """
        try:
            # Not memory-mapped: a file that is truncated or overwritten meanwhile would end a
            # station by SIGBUS, or change its answers.
            content = path.read_bytes()
            # Bound as an attribute: the runner does not keep its interpreter alive.
            self._interpreter = interpreter_class()(model_content=content, num_threads=threads)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)
            self.inputs: dict[str, tuple[int, ...]] = {
                name: tuple(int(size) for size in detail["shape"])
                for name, detail in self._run.get_input_details().items()
            }
            self.outputs = frozenset(self._run.get_output_details())
        except (OSError, ValueError, RuntimeError) as error:
            raise _load_error(path, error) from error

    def __call__(self, **inputs: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run once; the result is a copy, safe to keep.

        Raises:
            InputError: When an input's name or shape is not the model's.
        """
        shapes = {name: value.shape for name, value in inputs.items()}
        if shapes != self.inputs:
            raise InputError(f"model input is {shapes}; expected {self.inputs}")
        return {name: np.array(value, np.float32) for name, value in self._run(**inputs).items()}


class PlainModel:
    """A TFLite model without a signature, of one input. Not thread-safe."""

    def __init__(self, path: Path, threads: int = 1, content: bytes | None = None) -> None:
        """Load a model.

        Args:
            path: A TFLite file, to be read at once.
            threads: Threads of the interpreter, fixed for its life.
            content: In place of that of the file, which is then only what errors name.

        Raises:
            InputError: When this runtime cannot load it.
        """
        try:
            content = content or path.read_bytes()
            self._interpreter = interpreter_class()(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise _load_error(path, error) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def constant(self, tensor: int) -> NDArray[np.float32]:
        """Copy a tensor that the file holds, by its number in the file."""
        return np.array(self._interpreter.get_tensor(tensor), np.float32)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run once on values of the input's shape; the first output, a copy, safe to keep."""
        return self.outputs(values)[0]

    def outputs(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run once on values of the input's shape; all outputs, copies, in the file's order."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return [
            np.array(self._interpreter.get_tensor(output), np.float32) for output in self._outputs
        ]


def _load_error(path: Path, error: Exception) -> InputError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
    return InputError(
        f"{path}: this TFLite runtime cannot load it ({first_line}); "
        "update ai-edge-litert or export the bundle again"
    )
