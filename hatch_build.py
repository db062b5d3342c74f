"""Build hooks: make the package with the starter model, or without it (BIRDFIELD_NO_STARTER=1)."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

STARTER = "birdfield/starter"
LICENCE = "MIT AND Apache-2.0 AND CC-BY-4.0"
LICENCE_FILES = ["LICENSE", "NOTICE"]


def has_starter(root: str) -> bool:
    """Return whether the package contains the starter model."""
    return (
        os.environ.get("BIRDFIELD_NO_STARTER", "") in ("", "0")
        and (Path(root) / STARTER / "manifest.json").is_file()
    )


class LicenceHook(MetadataHookInterface):
    """Metadata hook: adds the starter's licence to a package that contains the starter."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the licence and the licence files."""
        starter = has_starter(self.root)
        metadata["license"] = LICENCE + (" AND LicenseRef-birdfield-starter" if starter else "")
        metadata["license-files"] = LICENCE_FILES + ([f"{STARTER}/LICENSE"] if starter else [])


class StarterHook(BuildHookInterface):  # type: ignore[type-arg]
    """Build hook: leaves out the starter's folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Exclude the folder before hatchling selects files."""
        if not has_starter(self.root):
            config = self.build_config.target_config
            config["exclude"] = [*config.get("exclude", []), f"/{STARTER}/"]


def get_build_hook() -> type[StarterHook]:
    """Return the build hook, for hatchling."""
    return StarterHook


def get_metadata_hook() -> type[LicenceHook]:
    """Return the metadata hook, for hatchling."""
    return LicenceHook
