"""Model opening: loads a bundle together with its user's species."""

import logging
from pathlib import Path
from typing import NamedTuple

from birdfield.model.bundle import Bundle, load_bundle
from birdfield.model.encoder import BundleEncoder
from birdfield.model.gallery import Gallery
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.store_file import load_store, stale_stores
from birdfield.paths import resolve_model, thread_count

log = logging.getLogger(__name__)


class LoadedModel(NamedTuple):
    """A model that is ready to use.

    Attributes:
        bundle: The exported model.
        encoder: Its towers.
        gallery: Its species, with those that the user enrolled, renamed or removed.
    """

    bundle: Bundle
    encoder: BundleEncoder
    gallery: Gallery


def open_model(path: Path | None) -> LoadedModel:
    """Open a bundle with its user's species.

    Args:
        path: The bundle; None for that of BIRDFIELD_MODEL, or else the packaged starter.

    Raises:
        BirdfieldError: When there is no bundle, or it or its store cannot be used.
    """
    bundle = load_bundle(resolve_model(path))
    encoder = bundle.encoder(thread_count())
    gallery = merged_gallery(bundle, load_store(bundle), encoder.fuse)
    for sentence in stale_stores(bundle, gallery):
        log.warning("%s", sentence)
    return LoadedModel(bundle, encoder, gallery)
