"""Fakes: vectors at known angles, an encoder of blue and pitch, and a bundle with it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soundfile
from spectra import dominant_hz

from birdfield.model.audio_specs import BIRDNET, YAMNET
from birdfield.model.birdnet import BIRDNET_LICENCE, BIRDNET_SHA256
from birdfield.model.bundle import FILES, MANIFEST, TOWERS, Bundle, load_bundle, model_id
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM, unit
from birdfield.model.frontend import SoundFeatures
from birdfield.model.gallery import Gallery
from birdfield.model.manifest import FORMAT
from birdfield.model.species import Species
from birdfield.model.yamnet import CLASSES
from birdfield.paths import PACKAGED_YAMNET_SHA256, file_sha256
from birdfield.recognise.bird_gate import BIRD_CLASSES

CALIBRATION = Calibration((0.1, 0.1, 0.1), (0.5, 0.5, 0.5), 0.5)
HZ_PER_DEGREE = 50
DEGREES = {"Jay": 0.0, "Robin": 60.0, "Wren": 120.0}  # the species of `factory`


def at(degrees: float) -> np.ndarray:
    """Return the unit vector [128] at an angle in the plane of the first two axes."""
    vector = np.zeros(DIM, np.float32)
    vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def bird_classes() -> np.ndarray:
    """Return the class scores of one patch in which a bird sings."""
    scores = np.zeros((1, CLASSES), np.float32)
    scores[0, BIRD_CLASSES[0]] = 1
    return scores


class BluePitch:
    """An encoder whose angle is the mean blue of a picture, or pitch / HZ_PER_DEGREE of a tone."""

    def image_vector(self, image: np.ndarray) -> np.ndarray:
        return at(float(image[..., 0].mean()))

    audio_spec = YAMNET

    def extract_features(self, waveform: np.ndarray) -> SoundFeatures:
        return SoundFeatures(
            np.full((1, YAMNET.dim), dominant_hz(waveform), np.float32), bird_classes
        )

    def audio_vector(self, frames: np.ndarray) -> np.ndarray:
        return at(float(frames[0, 0]) / HZ_PER_DEGREE)

    def fuse(self, image: np.ndarray | None, audio: np.ndarray | None) -> np.ndarray:
        zero = np.zeros(DIM, np.float32)
        return unit((zero if image is None else image) + (zero if audio is None else audio))


def picture(path: Path, degrees: int, seed: int = 0) -> Path:
    """Write a PNG that `BluePitch` embeds at an angle; the seed and the angle fix its bytes."""
    image = np.random.default_rng(seed).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    image[..., 0] = degrees
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def tone(path: Path, degrees: int, length_s: float = 2.0) -> Path:
    """Write a sound file that `BluePitch` embeds at an angle."""
    seconds = np.arange(round(length_s * YAMNET.rate_hz)) / YAMNET.rate_hz
    sound = 0.5 * np.sin(2 * np.pi * degrees * HZ_PER_DEGREE * seconds)
    soundfile.write(path, sound, YAMNET.rate_hz)
    return path


def factory() -> Gallery:
    """Return a gallery of the species of DEGREES, with one prototype for each `Sense`."""
    count = len(DEGREES)
    return Gallery(
        tuple(Species(label) for label in DEGREES),
        np.repeat(np.stack([at(angle) for angle in DEGREES.values()]), 3, axis=0),
        np.repeat(np.arange(count, dtype=np.int32), 3),
        np.tile(np.arange(3, dtype=np.uint8), count),
        np.full((count, 3), 0.5, np.float32),
        CALIBRATION,
    )


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return a manifest with the hashes of the files in a folder."""
    return manifest_entries({name: file_sha256(folder / name) for name in FILES})


def manifest_entries(hashes: dict[str, str]) -> dict[str, Any]:
    """Return a manifest with these hashes."""
    tower = {"precision": "float", "mean_cosine": 1.0, "min_cosine": 1.0, "size_bytes": 5}
    return {
        "format": FORMAT,
        "model": model_id(hashes, PACKAGED_YAMNET_SHA256),
        "birdfield": "0",
        "dim": DIM,
        "image": {
            "size_px": 224,
            "order": "BGR",
            "mean": [0.0, 0.0, 0.0],
            "scale": 1.0,
            "backbone": "blue",
        },
        "audio": YAMNET.to_json(),
        "frontend": {"name": "yamnet", "sha256": PACKAGED_YAMNET_SHA256},
        "yamnet": {"sha256": PACKAGED_YAMNET_SHA256},
        "towers": {"image": tower},
        "calibration": CALIBRATION.to_json(),
        "minimum_runtime": {},
        "training": {},
        "cross_validation": {},
        "licences": ["CC0"],
        "files": hashes,
    }


def write_manifest(folder: Path, manifest: object) -> None:
    """Replace a folder's manifest."""
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def to_birdnet(folder: Path) -> None:
    """Change the manifest of a bundle to the BirdNET frontend."""
    entries = manifest_of(folder)
    write_manifest(
        folder,
        {
            **entries,
            "audio": BIRDNET.to_json(),
            "licences": [BIRDNET_LICENCE],
            "frontend": {"name": "birdnet", "sha256": BIRDNET_SHA256},
            "model": model_id(entries["files"], BIRDNET_SHA256),
        },
    )


def make_bundle(folder: Path, towers: str = "tower") -> Bundle:
    """Write a bundle whose towers are a few bytes, and load it."""
    folder.mkdir(parents=True)
    for name in TOWERS:
        (folder / name).write_bytes(f"{towers} {name}".encode())
    (folder / "species.npz").write_bytes(factory().dump())
    write_manifest(folder, manifest_of(folder))
    return load_bundle(folder)
