from pathlib import Path

import numpy as np
import pytest
from sounds import sounds

from birdfield.errors import InputError
from birdfield.model.audio_specs import EMBEDDING, YAMNET
from birdfield.model.encoder import unit
from birdfield.model.log_mel import MEL, LogMelYamnet, log_mel
from birdfield.model.tflite import interpreter_class
from birdfield.model.yamnet import WaveformYamnet, Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_INT8
from birdfield.signals.windows import cut_patches

STEP = 5 * YAMNET.hop  # from one window of `watch` to the next


@pytest.mark.parametrize("name", sounds())
def test_the_8_bit_form_embeds_as_the_float_file(name: str) -> None:
    """The cosine of patches is to be 0.99 on average and at least 0.97."""
    cut = cut_patches(sounds()[name][: YAMNET.window], YAMNET)
    found, expected = (
        model.embed(cut) for model in (LogMelYamnet(1), WaveformYamnet(PACKAGED_YAMNET, 1))
    )
    for part in (slice(EMBEDDING), slice(EMBEDDING, YAMNET.dim)):
        cosines = (unit(found[:, part]) * unit(expected[:, part])).sum(axis=1)
        assert cosines.mean() >= 0.99 and cosines.min() >= 0.97
    assert np.abs(found[:, YAMNET.dim :] - expected[:, YAMNET.dim :]).max() < 0.15


def test_the_log_mel_frames_of_a_hop_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 patches have 96 + 9 * 48 = 528 frames; five hops later, 5 * 48 = 240 are new."""
    made: list[int] = []

    def counted(waveform: np.ndarray) -> np.ndarray:
        made.append(1 + (len(waveform) - 400) // 160)
        return log_mel(waveform)

    monkeypatch.setattr("birdfield.model.log_mel.log_mel", counted)
    yamnet, sound = Yamnet(PACKAGED_YAMNET), sounds()["noise"]
    yamnet.extract_features(sound[: YAMNET.window])
    assert sum(made) == 528
    yamnet.extract_features(sound[STEP : STEP + YAMNET.window])
    assert sum(made) == 528 + 240


def test_a_tone_is_loud_only_in_its_own_band() -> None:
    """1 kHz is 1,000 mel of HTK's scale; 64 bands share 185..2,774 mel (125..7,500 Hz) evenly:
    their centres are (2,774 - 185) / 65 = 39.8 mel apart, and (1,000 - 185) / 39.8 - 1 = 19.5.
    """
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    frames = log_mel(tone)
    assert frames.shape == (98, 64) and set(frames.argmax(axis=1)) <= {19, 20}
    assert (frames[:, 30:] < np.log(0.1)).all()


def test_the_mel_bands_are_those_of_the_packaged_float_file() -> None:
    """The file contains them as a matrix [64, 257]."""
    interpreter = interpreter_class()(model_path=str(PACKAGED_YAMNET))
    held = [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if tuple(detail["shape"]) == (64, 257)
    ]
    assert any(np.allclose(values.T, MEL, atol=1e-5) for values in held)


def test_another_yamnet_runs_without_the_8_bit_form(tmp_path: Path) -> None:
    """One more byte makes it another file with the same model."""
    other = tmp_path / "yamnet.tflite"
    other.write_bytes(PACKAGED_YAMNET.read_bytes() + b"\0")
    sound = sounds()["song"][: YAMNET.patch]
    expected = WaveformYamnet(PACKAGED_YAMNET, 1).embed(sound[None])
    assert np.array_equal(Yamnet(other).embed(sound), expected[:, : YAMNET.dim])


def test_a_changed_8_bit_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "yamnet_int8.tflite"
    changed.write_bytes(PACKAGED_YAMNET_INT8.read_bytes()[:-1] + b"!")
    monkeypatch.setattr("birdfield.model.log_mel.PACKAGED_YAMNET_INT8", changed)
    with pytest.raises(InputError, match="SHA-256 is .*; install birdfield again"):
        Yamnet(PACKAGED_YAMNET)
