"""Bundle: the folder of an exported model, whose manifest lists the hash of every file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.bird_names import STARTER_MODEL, with_bird_names
from birdfield.model.birdnet import BIRDNET_SHA256
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import BundleEncoder
from birdfield.model.gallery import Gallery, load_gallery
from birdfield.model.manifest import Manifest, read_manifest
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield.signals.image import ImageSpec
from birdfield.signals.windows import AudioSpec

MANIFEST = "manifest.json"
TOWERS = ("image.tflite", "audio.tflite", "fusion.tflite")
SPECIES = "species.npz"
FILES = (*TOWERS, SPECIES)
YAMNET_FILE = "yamnet.tflite"  # only in a bundle whose YAMNet is not the packaged one
LICENSE = "LICENSE"
MODEL_CARD = "MODEL_CARD.md"
OPTIONAL = {YAMNET_FILE, LICENSE, MODEL_CARD}  # checked where the manifest lists them
MAX_FILE = 600_000_000  # bytes


@dataclass(frozen=True)
class Bundle:
    """An exported model, immutable.

    Attributes:
        folder: Its folder.
        manifest: Its manifest.
        store: File of the user's species; None for the usual place, by `store_path`.
    """

    folder: Path
    manifest: Manifest
    store: Path | None = None

    @property
    def model_id(self) -> str:
        """Id of the model; vectors of models with different ids cannot be compared."""
        return self.manifest.model

    @property
    def calibration(self) -> Calibration:
        """Meaning of this model's similarities."""
        return self.manifest.calibration

    @property
    def image_spec(self) -> ImageSpec:
        """Input of the image tower."""
        return self.manifest.image

    @property
    def crop_margin(self) -> float:
        """Side of the square cut out for the image tower, by that of what moved."""
        return self.manifest.crop_margin

    @property
    def audio_spec(self) -> AudioSpec:
        """Input of the audio tower."""
        return self.manifest.audio

    @property
    def yamnet(self) -> Path:
        """The bundle's own YAMNet, or the packaged one."""
        own = YAMNET_FILE in self.manifest.files
        return self.folder / YAMNET_FILE if own else PACKAGED_YAMNET

    @property
    def model_card(self) -> Path | None:
        """MODEL_CARD.md, in which its makers describe the model; None where there is none."""
        path = self.folder / MODEL_CARD
        return path if path.is_file() else None

    def factory_gallery(self) -> Gallery:
        """Read the species that the bundle was exported with.

        Those of the packaged starter have the names of the table in `bird_names`.
        """
        path = self.folder / SPECIES
        gallery = load_gallery(path.read_bytes(), self.calibration, str(path))
        if self.model_id != STARTER_MODEL:
            return gallery
        return replace(gallery, species=with_bird_names(gallery.species))

    def encoder(self, threads: int = 1) -> BundleEncoder:
        """Create the encoder; it loads each tower on first use."""
        return BundleEncoder(self.folder, self.image_spec, self.audio_spec, self.yamnet, threads)


def load_bundle(folder: Path) -> Bundle:
    """Open a bundle, and check every file against the manifest.

    Raises:
        InputError: When it is not a bundle, is of another format, or is damaged or incomplete.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such model; expected a folder NAME.birdfield, an exported model"
        )
    path = folder / MANIFEST
    manifest = read_manifest(path)
    _check_names(path, manifest.files)
    for name, digest in manifest.files.items():
        _check_file(folder / name, digest)
    _check_frontend(path, manifest)
    _check_model_id(path, manifest)
    return Bundle(folder, manifest)


def model_id(hashes: Mapping[str, str], frontend_sha256: str) -> str:
    """Derive a model's id from its towers and its frontend, which define its species space.

    Args:
        hashes: SHA-256 of at least TOWERS, by name.
        frontend_sha256: SHA-256 of the frontend's file.
    """
    parts = [*(hashes[name] for name in sorted(TOWERS)), frontend_sha256]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _check_names(path: Path, listed: Mapping[str, str]) -> None:
    if sorted({*listed} - OPTIONAL) != sorted(FILES):
        raise InputError(
            f"{path}: lists {str(sorted(listed)[:8])[:200]}, expected {sorted(FILES)}; "
            "export the bundle again"
        )


def _check_file(path: Path, expected: str) -> None:
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise InputError(
                f"{path}: damaged: {size:,} bytes; expected at most {MAX_FILE:,}; "
                "copy the bundle again"
            )
        digest = file_sha256(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); copy the bundle again"
        ) from error
    if digest != expected:
        raise InputError(
            f"{path}: damaged: SHA-256 is {digest[:12]}..., the manifest says "
            f"{expected[:12]}...; copy the bundle again"
        )


def _check_frontend(path: Path, manifest: Manifest) -> None:
    """Check that this package has the YAMNet and the frontend that the model was trained with."""
    yamnet = manifest.files.get(YAMNET_FILE, PACKAGED_YAMNET_SHA256)
    if manifest.yamnet_sha256 != yamnet:
        raise InputError(
            f"{path}: the model needs the YAMNet {manifest.yamnet_sha256[:12]}..., but this "
            f"birdfield has {yamnet[:12]}...; install the birdfield that exported it, or export "
            "it again"
        )
    frontend = yamnet if manifest.audio is YAMNET else BIRDNET_SHA256
    if manifest.frontend_sha256 != frontend:
        raise InputError(
            f"{path}: the SHA-256 of {manifest.audio.name} is "
            f"{manifest.frontend_sha256[:12]}..., expected {frontend[:12]}...; "
            "export the bundle again"
        )


def _check_model_id(path: Path, manifest: Manifest) -> None:
    # The folder of the user's store may be named after the id: it must not be chosen freely.
    expected = model_id(manifest.files, manifest.frontend_sha256)
    if manifest.model != expected:
        raise InputError(
            f"{path}: the model's id is {manifest.model[:100]!r}, expected {expected!r} by its "
            "towers; export the bundle again"
        )
