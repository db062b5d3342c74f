"""Opening a model: a bundle with what its user enrolled, renamed and removed."""

import logging
from pathlib import Path

from birdfield.bundle import Bundle, load_bundle
from birdfield.config import resolve_model, thread_count
from birdfield.encoder import BundleEncoder
from birdfield.gallery import Gallery
from birdfield.store import left_behind, load_store, merged_gallery

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
    for sentence in left_behind(bundle, gallery):
        log.warning("%s", sentence)
    return bundle, encoder, gallery
