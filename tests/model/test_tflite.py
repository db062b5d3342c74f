import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from birdfield.errors import InputError, MissingError, UsageError
from birdfield.model.audio_specs import BANDS, YAMNET
from birdfield.model.tflite import RUNTIMES, TfliteModel, interpreter_class
from birdfield.paths import PACKAGED_YAMNET


@pytest.fixture(autouse=True)
def _forget_the_runtime() -> Iterator[None]:
    interpreter_class.cache_clear()
    yield
    interpreter_class.cache_clear()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the runtimes that can be imported; a test may add to them."""
    names: set[str] = set()

    def import_module(module: str) -> ModuleType:
        name = next(name for name, own in RUNTIMES.items() if own == module)
        if name not in names:
            raise ModuleNotFoundError(module)
        made = ModuleType(module)
        made.Interpreter = name  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.delenv("BIRDFIELD_RUNTIME", raising=False)
    return names


def chosen() -> object:
    return interpreter_class()


def test_the_first_installed_runtime_is_used(installed: set[str]) -> None:
    installed.add("tflite-runtime")
    assert chosen() == "tflite-runtime"
    interpreter_class.cache_clear()
    installed.add("ai-edge-litert")
    assert chosen() == "ai-edge-litert"


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_environment_chooses_the_runtime(
    installed: set[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.update(RUNTIMES)
    monkeypatch.setenv("BIRDFIELD_RUNTIME", name)
    assert chosen() == name


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_chosen_runtime_that_is_missing_is_not_replaced(
    installed: set[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.update(set(RUNTIMES) - {name})
    monkeypatch.setenv("BIRDFIELD_RUNTIME", name)
    with pytest.raises(
        MissingError, match=f"{name} of BIRDFIELD_RUNTIME is not installed; .*pip install {name}$"
    ):
        interpreter_class()


@pytest.mark.usefixtures("installed")
def test_without_a_runtime_the_error_says_what_to_install() -> None:
    with pytest.raises(
        MissingError, match="no TFLite runtime is installed; run: pip install ai-edge-litert$"
    ):
        interpreter_class()


def test_an_unknown_runtime_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDFIELD_RUNTIME", "tensorrt")
    with pytest.raises(
        UsageError,
        match="BIRDFIELD_RUNTIME is 'tensorrt'; expected one of ai-edge-litert, tflite-runtime",
    ):
        interpreter_class()


def test_a_model_has_inputs_and_outputs_by_name() -> None:
    model = TfliteModel(PACKAGED_YAMNET)
    assert model.inputs == {"waveform": (YAMNET.patch,)}
    assert {
        name: value.shape
        for name, value in model({"waveform": np.zeros(YAMNET.patch, np.float32)}).items()
    } == {"embeddings": (1, 1024), "bands": (1, BANDS), "scores": (1, 521)}


def test_the_next_run_does_not_change_a_result() -> None:
    model, rng = TfliteModel(PACKAGED_YAMNET, threads=2), np.random.default_rng(0)
    first = model({"waveform": np.zeros(YAMNET.patch, np.float32)})
    kept = {name: value.copy() for name, value in first.items()}
    second = model({"waveform": rng.normal(0, 0.3, YAMNET.patch).astype(np.float32)})
    assert all(np.array_equal(first[name], kept[name]) for name in kept)
    assert not np.array_equal(first["embeddings"], second["embeddings"])


@pytest.mark.parametrize("name", ["waveform", "sound"])
def test_an_input_with_another_shape_or_name_is_refused(name: str) -> None:
    shape = (1, YAMNET.patch) if name == "waveform" else (YAMNET.patch,)
    with pytest.raises(InputError, match=rf"input of the model is .'{name}'.*expected .'waveform'"):
        TfliteModel(PACKAGED_YAMNET)({name: np.zeros(shape, np.float32)})


@pytest.mark.parametrize(
    "content",
    [b"", b"not a model", bytes(5000), b"\x1c\0\0\0TFL3" + bytes(99)],
    ids=["empty", "text", "zeros", "header only"],
)
def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tflite").write_bytes(content)
    with pytest.raises(InputError, match="image.tflite: this TFLite runtime cannot load it"):
        TfliteModel(tmp_path / "image.tflite")


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="image.tflite: this TFLite runtime cannot load it"):
        TfliteModel(tmp_path / "image.tflite")
