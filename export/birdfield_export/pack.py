"""Packing a bundle: each tower at the coarsest precision that loses nothing to speak of."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from birdfield import __version__, atomic
from birdfield.errors import UsageError
from birdfield.model.bundle import FILES, MANIFEST, YAMNET_FILE, load_bundle, model_id
from birdfield.model.encoder import DIM
from birdfield.model.manifest import FORMAT
from birdfield.paths import BUNDLE_SUFFIX, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield_export.calibrate import kept_data, tower_inputs
from birdfield_export.convert import PRECISIONS, TOWERS, build_tower, convert
from birdfield_export.framing import crop_margin
from birdfield_export.verify import Parity, verify
from birdfield_train.run_encoder import Run

# The audio tower gains no speed from full-integer arithmetic, and the fusion is 33,000 numbers:
# docs/decisions/0004-precision-of-each-tower.md.
FIRST_PRECISION = {"image": "int8", "audio": "dynamic", "fusion": "float"}
MINIMUM_RUNTIMES = {"ai-edge-litert": "1.0", "tflite-runtime": "2.14"}

Say = Callable[[str], None]


def export(
    run_folder: Path,
    out: Path,
    image_precision: str = "int8",
    force: bool = False,
    say: Say = lambda line: None,
    licence: str | None = None,
) -> Path:
    """Export a run as a bundle.

    Args:
        run_folder: A finished run.
        out: The bundle's folder, NAME.birdfield.
        image_precision: What the image tower is tried at first, one of PRECISIONS.
        force: Whether an existing bundle is replaced.
        say: Told of each tower.
        licence: Of the data, in place of the run's.

    Returns:
        The bundle's folder.

    Raises:
        InputError: When the run cannot be used, a tower cannot be converted, or the bundle exists.
        UsageError: When the name has another ending.
    """
    if out.suffix != BUNDLE_SUFFIX:
        raise UsageError(
            f"{out}: a bundle's name ends in {BUNDLE_SUFFIX}; call it {out.name}{BUNDLE_SUFFIX}"
        )
    run = Run(run_folder)
    with atomic.new_folder(out, force) as draft:
        if file_sha256(run.folder / YAMNET_FILE) != PACKAGED_YAMNET_SHA256:
            shutil.copyfile(run.folder / YAMNET_FILE, draft / YAMNET_FILE)
        shutil.copyfile(run.folder / "species.npz", draft / "species.npz")
        parities = _export_towers(run, draft, {**FIRST_PRECISION, "image": image_precision}, say)
        manifest = _manifest(run, draft, parities, licence)
        atomic.write_file(
            draft / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        )
        load_bundle(draft).factory_gallery()
    return out


def _export_towers(run: Run, folder: Path, first: Mapping[str, str], say: Say) -> dict[str, Parity]:
    """Convert every tower; one that loses too much is redone one step finer."""
    parities: dict[str, Parity] = {}
    pending = dict(first)
    while pending:
        convert(run.folder, pending, folder)
        for tower, precision in list(pending.items()):
            parity = verify(
                run,
                tower,
                precision,
                build_tower(run, tower, "float"),
                folder / f"{tower}.tflite",
                tower_inputs(run, tower),
            )
            parities[tower] = parity
            finer = PRECISIONS[PRECISIONS.index(precision) + 1 :]
            redo = not parity.good and len(finer) > 0
            say(
                f"{tower} tower at {precision}: cosine {parity.mean_cosine:.4f} mean, "
                f"{parity.min_cosine:.4f} least; top-1 of kept samples {parity.top1_before} -> "
                f"{parity.top1_after}; {parity.size_bytes / 1e6:.1f} MB"
                f"{'; not good enough, redone one step finer' if redo else ''}"
            )
            if redo:
                pending[tower] = finer[0]
            else:
                del pending[tower]
    return {tower: parities[tower] for tower in TOWERS}


def _manifest(
    run: Run, folder: Path, parities: dict[str, Parity], licence: str | None
) -> dict[str, Any]:
    hashes = {
        name: file_sha256(folder / name)
        for name in (*FILES, YAMNET_FILE)
        if (folder / name).exists()
    }
    summary = run.summary
    # A fine-tuned base has seen birds of many sizes, and does best by the bird alone.
    margin = (
        1.0
        if run.backbone.tuning
        else crop_margin(kept_data(run.folder / "calibration.npz").images)
    )
    return {
        "format": FORMAT,
        "model": model_id(hashes, summary["frontend"]["sha256"]),
        "birdfield": __version__,
        "dim": DIM,
        "image": {
            **summary["image"],
            "backbone": summary["image_backbone"],
            "crop_margin": margin,
            "shape": [1, summary["image"]["size_px"], summary["image"]["size_px"], 3],
            "unit": "pixel values 0..255 less the mean, divided by the scale",
        },
        "audio": run.audio_spec.to_json(),
        "frontend": summary["frontend"],
        "yamnet": {"sha256": file_sha256(run.folder / YAMNET_FILE)},
        "towers": {tower: parity.to_json() for tower, parity in parities.items()},
        "calibration": summary["calibration"],
        "minimum_runtime": MINIMUM_RUNTIMES,
        "training": {"data": summary["data"], "fit": summary["fit"], "seed": summary["seed"]},
        "cross_validation": json.loads((run.folder / "cv.json").read_bytes()),
        "data_licence": licence if licence is not None else summary.get("data_licence"),
        "licences": summary["licences"],
        "files": hashes,
    }
