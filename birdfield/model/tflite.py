"""TFLite: runs TFLite files on whichever runtime is installed."""

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError, MissingError, UsageError

RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
SIGNATURE = "embed"

Arrays = Mapping[str, NDArray[np.float32]]

log = logging.getLogger(__name__)


class TensorDetail(TypedDict):
    """The fields that are read from a runtime's description of a tensor."""

    index: int
    shape: NDArray[np.int32]


class SignatureRunner(Protocol):
    """A runtime's function for one signature of a model."""

    def get_input_details(self) -> Mapping[str, TensorDetail]:
        """Describe the inputs by name."""

    def get_output_details(self) -> Mapping[str, TensorDetail]:
        """Describe the outputs by name."""

    def __call__(self, **inputs: NDArray[np.float32]) -> Arrays:
        """Run the model; the runtime may overwrite the result in the next run."""


class Interpreter(Protocol):
    """The methods of a TFLite interpreter that birdfield calls."""

    def get_signature_runner(self, name: str) -> SignatureRunner:
        """Return the function of a signature."""

    def allocate_tensors(self) -> None:
        """Prepare a run without a signature."""

    def get_input_details(self) -> list[TensorDetail]:
        """Describe the inputs."""

    def get_output_details(self) -> list[TensorDetail]:
        """Describe the outputs."""

    def get_tensor_details(self) -> list[TensorDetail]:
        """Describe all tensors."""

    def get_tensor(self, index: int) -> NDArray[np.float32]:
        """Return a copy of a tensor."""

    def set_tensor(self, index: int, value: NDArray[np.float32]) -> None:
        """Set an input."""

    def invoke(self) -> None:
        """Run the model."""


@lru_cache(maxsize=1)
def interpreter_class() -> Callable[..., Interpreter]:
    """Return the interpreter of the runtime in BIRDFIELD_RUNTIME, or of the first installed one.

    Raises:
        UsageError: When BIRDFIELD_RUNTIME names an unknown runtime.
        MissingError: When no runtime is installed, or not that one.
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
        interpreter: Callable[..., Interpreter] = module.Interpreter
        return interpreter
    if wanted:
        raise MissingError(
            f"the TFLite runtime {wanted} of BIRDFIELD_RUNTIME is not installed; "
            f"run: pip install {wanted}"
        )
    raise MissingError("no TFLite runtime is installed; run: pip install ai-edge-litert")


class TfliteModel:
    """A TFLite model with the signature SIGNATURE. Not thread-safe.

    Attributes:
        inputs: Shapes of the inputs by name.
        outputs: Names of the outputs.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a file.

        Args:
            path: A TFLite file.
            threads: Threads of the interpreter, fixed for its life.

        Raises:
            InputError: When the runtime cannot load the file.
        """
        try:
            # Read, not memory-mapped: truncating or overwriting a mapped file would end a running
            # station by SIGBUS, or change its answers.
            content = path.read_bytes()
            # Kept as an attribute, since the runner does not keep its interpreter alive.
            self._interpreter = interpreter_class()(model_content=content, num_threads=threads)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)
            self.inputs: dict[str, tuple[int, ...]] = {
                name: tuple(int(size) for size in detail["shape"])
                for name, detail in self._run.get_input_details().items()
            }
            self.outputs = frozenset(self._run.get_output_details())
        except (OSError, ValueError, RuntimeError) as error:
            raise _load_error(path, error) from error

    def __call__(self, inputs: Arrays) -> Arrays:
        """Run the model; returns copies of its outputs by name.

        Raises:
            InputError: When a name or a shape is not that of the model's input.
        """
        shapes = {name: value.shape for name, value in inputs.items()}
        if shapes != self.inputs:
            raise InputError(f"the input of the model is {shapes}, expected {self.inputs}")
        return {name: np.array(value, np.float32) for name, value in self._run(**inputs).items()}


class SingleInputModel:
    """A TFLite model without a signature, with one input. Not thread-safe."""

    def __init__(self, path: Path, threads: int = 1, content: bytes | None = None) -> None:
        """Load a model.

        Args:
            path: A TFLite file.
            threads: Threads of the interpreter, fixed for its life.
            content: The model itself; if given, the file is not read and `path` is only for error
                messages.

        Raises:
            InputError: When the runtime cannot load the model.
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
        """Return a copy of a constant tensor, by its number in the file."""
        return np.array(self._interpreter.get_tensor(tensor), np.float32)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model on an input of its shape; returns a copy of its first output."""
        return self.outputs(values)[0]

    def outputs(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the model on an input of its shape; returns copies of all outputs, in file order."""
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
