"""Two packages of one tree: with the starter model and, with BIRDFIELD_NO_STARTER=1, without it."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

STARTER = "birdfield/starter"
LICENCE = "MIT AND Apache-2.0 AND CC-BY-4.0"
LICENCE_FILES = ["LICENSE", "NOTICE"]


def has_starter(root: str) -> bool:
    """Tell whether the package to be built carries the starter model."""
    return (
        os.environ.get("BIRDFIELD_NO_STARTER", "") in ("", "0")
        and (Path(root) / STARTER / "manifest.json").is_file()
    )


class LicenceHook(MetadataHookInterface):
    """Names the starter's licence only where the starter is."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the two licence fields."""
        with_it = has_starter(self.root)
        metadata["license"] = LICENCE + (" AND LicenseRef-birdfield-starter" if with_it else "")
        metadata["license-files"] = LICENCE_FILES + ([f"{STARTER}/LICENSE"] if with_it else [])


class StarterHook(BuildHookInterface):  # type: ignore[type-arg]
    """Leaves the starter's folder out."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Exclude it before any file is chosen."""
        if not has_starter(self.root):
            config = self.build_config.target_config
            config["exclude"] = [*config.get("exclude", []), f"/{STARTER}/"]


def get_build_hook() -> type[StarterHook]:
    """Tell hatchling which of the classes is which."""
    return StarterHook


def get_metadata_hook() -> type[LicenceHook]:
    """Tell hatchling which of the classes is which."""
    return LicenceHook
