"""Opening a model: a bundle with what its user enrolled, renamed and removed."""

import logging
from pathlib import Path

from birdfield.model.bundle import Bundle, load_bundle
from birdfield.model.encoder import BundleEncoder
from birdfield.model.gallery import Gallery
from birdfield.model.store import load_store, merged_gallery, stale_stores
from birdfield.paths import resolve_model, thread_count

log = logging.getLogger(__name__)


def open_model(path: Path | None) -> tuple[Bundle, BundleEncoder, Gallery]:
    """Open a bundle with the user's own species.

    Args:
        path: Of the bundle; None for BIRDFIELD_MODEL's, else the packaged starter.

    Raises:
        BirdfieldError: When there is none, or it or its store cannot be used.
    """
    bundle = load_bundle(resolve_model(path))
    encoder = bundle.encoder(thread_count())
    gallery = merged_gallery(bundle, load_store(bundle), encoder.fuse)
    for sentence in stale_stores(bundle, gallery):
        log.warning("%s", sentence)
    return bundle, encoder, gallery
