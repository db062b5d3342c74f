"""Packing: a run to a bundle, with each tower at the coarsest precision that keeps its answers."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from birdfield import __version__, atomic
from birdfield.errors import UsageError
from birdfield.model.bundle import FILES, MANIFEST, YAMNET_FILE, load_bundle, model_id
from birdfield.model.encoder import DIM
from birdfield.model.manifest import FORMAT
from birdfield.model.sense import Sense
from birdfield.paths import BUNDLE_SUFFIX, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield_export.convert import PRECISIONS, TOWERS, convert
from birdfield_export.framing import crop_margin
from birdfield_export.tower_inputs import FUSION
from birdfield_export.verify import Parity, verify
from birdfield_train.manifest import GALLERY_FILE, REPORT_FILE, image_to_json
from birdfield_train.run_encoder import Run

# Full-integer arithmetic makes the audio tower no faster, and the fusion has only 33,000 numbers:
# docs/decisions/0004-precision-of-each-tower.md.
FIRST_PRECISION = {Sense.IMAGE: "int8", Sense.AUDIO: "dynamic", FUSION: "float"}
MINIMUM_RUNTIMES = {"ai-edge-litert": "1.0", "tflite-runtime": "2.14"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class ExportConfig:
    """The options of an export.

    Attributes:
        image_precision: The precision that is tried first for the image tower, one of PRECISIONS.
        force: Whether to replace an existing bundle.
        licence: The licence of the data; None for the one that the run records.
    """

    image_precision: str = "int8"
    force: bool = False
    licence: str | None = None


DEFAULTS = ExportConfig()


def export(
    run_folder: Path, out: Path, config: ExportConfig = DEFAULTS, say: Say = lambda line: None
) -> Path:
    """Export a run as a bundle.

    Args:
        run_folder: A complete run.
        out: The folder of the bundle, NAME.birdfield.
        config: The options.
        say: Called with a line about each tower.

    Returns:
        The folder of the bundle.

    Raises:
        InputError: When the run cannot be used, a tower cannot be converted, or the bundle exists.
        UsageError: When the name has another suffix.
    """
    if out.suffix != BUNDLE_SUFFIX:
        raise UsageError(
            f"{out}: the name of a bundle ends in {BUNDLE_SUFFIX}; "
            f"name it {out.name}{BUNDLE_SUFFIX}"
        )
    run = Run(run_folder)
    with atomic.new_folder(out, config.force) as draft:
        if file_sha256(run.folder / YAMNET_FILE) != PACKAGED_YAMNET_SHA256:
            shutil.copyfile(run.folder / YAMNET_FILE, draft / YAMNET_FILE)
        shutil.copyfile(run.folder / GALLERY_FILE, draft / GALLERY_FILE)
        first = {**FIRST_PRECISION, Sense.IMAGE: config.image_precision}
        parities = _export_towers(run, draft, first, say)
        manifest = _manifest(run, draft, parities, config.licence)
        content = json.dumps(manifest, indent=1, ensure_ascii=False)
        atomic.write_file(draft / MANIFEST, content.encode())
        load_bundle(draft).factory_gallery()  # checks the bundle
    return out


def _export_towers(run: Run, folder: Path, first: Mapping[str, str], say: Say) -> dict[str, Parity]:
    """Convert all towers; convert one that lost too much again, at the next finer precision."""
    parities: dict[str, Parity] = {}
    pending = dict(first)
    while pending:
        convert(run.folder, pending, folder)
        for tower, precision in list(pending.items()):
            parity = verify(run, tower, precision, folder / f"{tower}.tflite")
            parities[tower] = parity
            finer = PRECISIONS[PRECISIONS.index(precision) + 1 :]
            again = not parity.good and len(finer) > 0
            verdict = "; not good enough, converted again at a finer precision" if again else ""
            say(f"{tower} tower at {precision}: {parity}{verdict}")
            if again:
                pending[tower] = finer[0]
            else:
                del pending[tower]
    return {tower: parities[tower] for tower in TOWERS}


def _manifest(
    run: Run, folder: Path, parities: Mapping[str, Parity], licence: str | None
) -> dict[str, object]:
    """Return the content of the bundle's manifest."""
    trained = run.manifest
    hashes = {
        name: file_sha256(folder / name)
        for name in (*FILES, YAMNET_FILE)
        if (folder / name).exists()
    }
    return {
        "format": FORMAT,
        "model": model_id(hashes, trained.frontend.sha256),
        "birdfield": __version__,
        "dim": DIM,
        "image": _image_entry(run),
        "audio": trained.audio.to_json(),
        "frontend": asdict(trained.frontend),
        "yamnet": {"sha256": file_sha256(run.folder / YAMNET_FILE)},
        "towers": {tower: parity.to_json() for tower, parity in parities.items()},
        "calibration": trained.calibration.to_json(),
        "minimum_runtime": MINIMUM_RUNTIMES,
        "training": {
            "data": asdict(trained.data),
            "fit": trained.fit.to_json(),
            "seed": trained.seed,
        },
        "cross_validation": json.loads((run.folder / REPORT_FILE).read_bytes()),
        "data_licence": licence if licence is not None else trained.data_licence,
        "licences": list(trained.licences),
        "files": hashes,
    }


def _image_entry(run: Run) -> dict[str, object]:
    size = run.manifest.image.size_px
    # A fine-tuned base was trained on birds of many sizes, and recognises the bird alone best.
    margin = 1.0 if run.backbone.tuning else crop_margin(run.calibration_data.images)
    return {
        **image_to_json(run.manifest.image),
        "backbone": run.manifest.image_backbone,
        "crop_margin": margin,
        "shape": [1, size, size, 3],
        "unit": "pixel values 0..255 less the mean, divided by the scale",
    }
