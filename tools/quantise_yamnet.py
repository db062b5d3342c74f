"""YAMNet: quantises the packaged float model: python tools/quantise_yamnet.py.

Writes birdfield/weights/yamnet_int8.tflite, which begins at the log-mel spectrogram and has int8
kernels in its 1 x 1 convolutions and its classes (docs/decisions/0015-yamnet-int8.md). Needs
ai-edge-litert and flatbuffers.
"""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_INT8, file_sha256

LOG_MEL = [1, 96, 64, 1]
CONV_VERSION = 5  # first version of the operator with int8 kernels by channel and float input


def cut(content: bytes) -> Any:
    """Return a YAMNet without the operators before its first convolution."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    first = next(
        place
        for place, operator in enumerate(graph.operators)
        if _code(model, operator) == schema.BuiltinOperator.CONV_2D
    )
    graph.operators = graph.operators[first:]
    graph.inputs = np.array([graph.operators[0].inputs[0]], np.int32)
    assert list(graph.tensors[graph.inputs[0]].shape) == LOG_MEL
    model.signatureDefs = None
    used = {
        0,
        *(
            graph.tensors[tensor].buffer
            for operator in graph.operators
            for tensor in (*operator.inputs, *operator.outputs)
            if tensor >= 0
        ),
    }
    for place, buffer in enumerate(model.buffers):
        if place not in used:
            buffer.data = None
    return model


def quantise(model: Any) -> None:
    """Quantise kernels to int8: 1 x 1 convolutions by output channel, dense layers as a whole."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        code = _code(model, operator)
        kernel: Any = graph.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
        if code == schema.BuiltinOperator.CONV_2D and list(kernel.shape[1:3]) == [1, 1]:
            _to_int8(model, kernel, by_channel=True)
        elif code == schema.BuiltinOperator.FULLY_CONNECTED:
            _to_int8(model, kernel, by_channel=False)
            operator.builtinOptions.asymmetricQuantizeInputs = False
    for entry in model.operatorCodes:
        if entry.builtinCode == schema.BuiltinOperator.CONV_2D:
            entry.version = max(entry.version, CONV_VERSION)


def _to_int8(model: Any, kernel: Any, by_channel: bool) -> None:
    content: NDArray[np.uint8] = model.buffers[kernel.buffer].data
    weights = np.frombuffer(bytes(content), "<f4").reshape(kernel.shape[0], -1)
    greatest = np.abs(weights).max(axis=1 if by_channel else None, keepdims=True)
    scale = np.maximum(greatest, 1e-9) / 127
    rounded = np.round(weights / scale).astype(np.int8)
    kernel.type = schema.TensorType.INT8
    kernel.quantization = schema.QuantizationParametersT()
    kernel.quantization.scale = scale.ravel().astype(np.float32)
    kernel.quantization.zeroPoint = np.zeros(scale.size, np.int64)
    kernel.quantization.quantizedDimension = 0
    model.buffers[kernel.buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)


def _code(model: Any, operator: Any) -> int:
    entry = model.operatorCodes[operator.opcodeIndex]
    return int(entry.builtinCode or entry.deprecatedBuiltinCode)


def pack(model: Any) -> bytes:
    """Return the content of a TFLite file of the model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main() -> None:
    """Write the file; print the new PACKAGED_YAMNET_INT8_SHA256."""
    model = cut(PACKAGED_YAMNET.read_bytes())
    quantise(model)
    atomic.write_file(PACKAGED_YAMNET_INT8, pack(model))
    print(file_sha256(PACKAGED_YAMNET_INT8))


if __name__ == "__main__":
    main()
