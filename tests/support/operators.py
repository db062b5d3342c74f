"""Operators of a TFLite file: a Pi runs the built-in ones only."""

from pathlib import Path
from typing import Any

from birdfield.model.tflite import TfliteModel


def operators(path: Path) -> list[str]:
    interpreter: Any = TfliteModel(path)._interpreter
    return [entry["op_name"] for entry in interpreter._get_ops_details()]


def assert_built_in(path: Path) -> None:
    found = operators(path)
    assert found and not [
        name for name in found if "flex" in name.lower() or "custom" in name.lower()
    ], found
