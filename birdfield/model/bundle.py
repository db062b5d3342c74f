"""The model bundle: a folder whose manifest vouches for every file in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from birdfield.errors import InputError
from birdfield.model.audio_specs import SPECS, YAMNET
from birdfield.model.birdnet import BIRDNET_SHA256
from birdfield.model.encoder import DIM, BundleEncoder
from birdfield.model.gallery import Calibration, Gallery, load_gallery
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield.signals.image import ImageSpec
from birdfield.signals.windows import AudioSpec

FORMAT = 2
MANIFEST = "manifest.json"
TOWERS = ("image.tflite", "audio.tflite", "fusion.tflite")
FILES = (*TOWERS, "species.npz")
YAMNET_FILE = "yamnet.tflite"  # only in a bundle whose YAMNet is not the packaged one
LICENSE = "LICENSE"
MODEL_CARD = "MODEL_CARD.md"
OPTIONAL = {YAMNET_FILE, LICENSE, MODEL_CARD}  # checked where the manifest lists them
CROP_MARGIN = (0.5, 4.0)  # the least and the most that a manifest may say
MAX_MANIFEST = 4_000_000  # bytes
MAX_FILE = 600_000_000  # bytes


@dataclass(frozen=True)
class Bundle:
    """An exported model, immutable.

    Attributes:
        folder: Where it is.
        manifest: Its manifest, checked.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def model_id(self) -> str:
        """Names the model: the vectors of another one mean nothing to this one."""
        return str(self.manifest["model"])

    @cached_property
    def calibration(self) -> Calibration:
        """How this model's similarities read."""
        return Calibration.from_json(self.manifest["calibration"])

    @cached_property
    def image_spec(self) -> ImageSpec:
        """What the image tower takes."""
        return ImageSpec.from_json(self.manifest["image"])

    @cached_property
    def crop_margin(self) -> float:
        """Sides of what is cut out for the image tower by the sides of what moved.

        1 in a bundle of a birdfield that did not measure it. Raises TypeError or ValueError when
        malformed.
        """
        margin = float(self.manifest["image"].get("crop_margin", 1))
        if not CROP_MARGIN[0] <= margin <= CROP_MARGIN[1]:
            raise ValueError(f"crop_margin {margin} is out of range")
        return margin

    @property
    def audio_spec(self) -> AudioSpec:
        """The sound that the bundle's frontend takes, and the windows of it."""
        return SPECS[self.manifest["frontend"]["name"]]

    @property
    def yamnet(self) -> Path:
        """The YAMNet that this bundle's sound is heard with: its own, or the packaged one."""
        own = YAMNET_FILE in self.manifest["files"]
        return self.folder / YAMNET_FILE if own else PACKAGED_YAMNET

    @property
    def model_card(self) -> Path | None:
        """What its makers tell of it: MODEL_CARD.md, where the bundle has one."""
        path = self.folder / MODEL_CARD
        return path if path.is_file() else None

    def factory_gallery(self) -> Gallery:
        """Read the species that the bundle was made with."""
        path = self.folder / "species.npz"
        return load_gallery(path.read_bytes(), self.calibration, str(path))

    def encoder(self, threads: int = 1) -> BundleEncoder:
        """Make the encoder; its towers are loaded on first use."""
        return BundleEncoder(self.folder, self.image_spec, self.audio_spec, self.yamnet, threads)


def load_bundle(folder: Path) -> Bundle:
    """Open a bundle and check every file against its manifest.

    Raises:
        InputError: When it is no bundle, of another format, damaged or incomplete.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such model; expected a folder NAME.birdfield made by birdfield export"
        )
    manifest = _read_manifest(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise InputError(
            f"{folder}: bundle format {manifest.get('format')!r}, expected {FORMAT}; "
            "install the birdfield that made it, or export it again"
        )
    _check_files(folder, manifest)
    bundle = Bundle(folder, manifest)
    try:
        _check_contract(manifest)
        bundle.calibration, bundle.image_spec, bundle.crop_margin  # noqa: B018  (fail at the door)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{folder / MANIFEST}: malformed ({error!r}); export the bundle again"
        ) from error
    return bundle


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise InputError(
                f"{path}: {path.stat().st_size:,} bytes; expected a manifest of at "
                f"most {MAX_MANIFEST:,}"
            )
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a bundle made by birdfield export"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged, no JSON ({error}); copy or export the bundle again"
        ) from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path}: malformed; expected a JSON object; export the bundle again")
    return manifest


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    listed = manifest.get("files")
    if not isinstance(listed, dict) or sorted({*listed} - OPTIONAL) != sorted(FILES):
        names = sorted(listed)[:8] if isinstance(listed, dict) else listed
        raise InputError(
            f"{folder / MANIFEST}: lists {str(names)[:200]}, expected "
            f"{sorted(FILES)}; export the bundle again"
        )
    for name in listed:
        path = folder / name
        try:
            size = path.stat().st_size
            digest = file_sha256(path) if size <= MAX_FILE else "of a file too large to read"
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); copy the bundle again"
            ) from error
        if digest != listed[name]:
            raise InputError(
                f"{path}: damaged: SHA-256 is {digest[:12]}..., the manifest says "
                f"{str(listed[name])[:12]}...; copy the bundle again"
            )


def _check_contract(manifest: Mapping[str, Any]) -> None:
    if manifest["dim"] != DIM:
        raise ValueError(f"embedding size is {manifest['dim']!r}; this birdfield has {DIM}")
    _check_frontend(manifest)
    # The store's folder may be named by it, so a manifest does not choose it freely.
    expected = model_id(manifest["files"], manifest["frontend"]["sha256"])
    if manifest["model"] != expected:
        raise ValueError(
            f"model id {str(manifest['model'])[:100]!r} is not that of its towers, {expected!r}"
        )


def _check_frontend(manifest: Mapping[str, Any]) -> None:
    """Check that this birdfield hears as the bundle's audio tower was trained to."""
    name, wanted = manifest["frontend"]["name"], manifest["yamnet"]["sha256"]
    if name not in SPECS:
        raise InputError(
            f"this model hears by the frontend {str(name)[:100]!r}, expected one of "
            f"{', '.join(SPECS)}; install the birdfield that made it"
        )
    spec = SPECS[name]
    evidence = manifest["audio"].get("evidence", 0)
    if evidence != spec.class_dim:
        raise InputError(
            f"this model hears {str(evidence)[:100]} numbers of {name}'s classes, "
            f"this birdfield {spec.class_dim}; train it again"
        )
    if manifest["audio"] != spec.to_json():
        raise ValueError(
            f"the sound of {name} is {str(manifest['audio'])[:200]}; "
            f"this birdfield has {spec.to_json()}"
        )
    copied = manifest["files"].get(YAMNET_FILE)
    if wanted != (copied or PACKAGED_YAMNET_SHA256):
        raise InputError(
            f"this model hears by the YAMNet {str(wanted)[:12]}..., this birdfield "
            f"carries {PACKAGED_YAMNET_SHA256[:12]}...; install the birdfield that "
            "made it, or export it again"
        )
    known = wanted if spec is YAMNET else BIRDNET_SHA256
    if manifest["frontend"]["sha256"] != known:
        raise ValueError(
            f"its {name} is {str(manifest['frontend']['sha256'])[:12]}...; expected {known[:12]}..."
        )


def model_id(hashes: Mapping[str, str], frontend_sha256: str) -> str:
    """Derive a model's id from its towers and its frontend: both equal, equal space."""
    parts = [*(hashes[name] for name in sorted(TOWERS)), frontend_sha256]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
