"""What `watch` sets up of its flags and its configuration file."""

import logging
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from birdfield.capture.latency import Latency
from birdfield.errors import ConfigError, UsageError
from birdfield.model.names import Names, named, names_in
from birdfield.model.species import Species
from birdfield.settings.place import parse_location
from birdfield.settings.quiet_hours import Quiet, parse_quiet
from birdfield.settings.reload import Reloader
from birdfield.settings.rules import LiveRules, Rules, rules_of
from birdfield.settings.schema import StationConfig

log = logging.getLogger(__name__)


class ResolvedSettings:
    """What was chosen: a flag, else the configuration, else the default."""

    def __init__(self, config: StationConfig, flags: Mapping[str, Any]) -> None:
        """Take a configuration, and flags by the keys that they override; None is not given."""
        self.config = config
        self._flags = {
            key: value for key, value in flags.items() if value is not None and value is not False
        }

    def __getitem__(self, key: str) -> Any:
        """Return what was chosen for a key."""
        return self._flags.get(key, self.config[key])

    @property
    def model(self) -> Path | None:
        """The bundle: the environment comes between the flag and the file."""
        given: Path | None = self._flags.get("watch.model")
        if given or os.environ.get("BIRDFIELD_MODEL"):
            return given
        return self.config["watch.model"]  # type: ignore[no-any-return]

    def of_journal(self, key: str) -> Any:
        """Return what was chosen of a journal; None without one, where only a flag would be odd."""
        return self[key] if self["journal.folder"] else self._flags.get(key)

    @property
    def latency(self) -> Latency:
        """How late the sources are."""
        return Latency(self["watch.camera_latency_s"], self["watch.microphone_latency_s"])

    def quiet(self) -> Quiet | None:
        """Return the quiet hours; raises BirdfieldError when the sun's place is missing."""
        hours, text = self.of_journal("quiet.hours"), self["place.location"]
        place = parse_location(text) if text else None
        try:
            return (
                parse_quiet(hours, (place.latitude, place.longitude) if place else None)
                if hours
                else None
            )
        except UsageError as error:
            if "quiet.hours" in self._flags:
                raise
            raise ConfigError(
                f"{self.config.where('quiet', 'hours')} is {hours!r}, which goes by "
                "the sun; set place.location"
            ) from error

    def rules(self, config: StationConfig, species: Sequence[Species]) -> Rules:
        """Make the rules of a configuration, under these flags.

        Raises:
            BirdfieldError: When that cannot be.
        """
        rules, strangers = ResolvedSettings(config, self._flags)._rules(species)
        for sentence in strangers:
            log.warning("%s", sentence)
        return rules

    def check(self, species: Sequence[Species]) -> None:
        """Check rules and names for a model; raises BirdfieldError when they cannot be followed."""
        if strangers := self._rules(species)[1]:
            raise ConfigError("; ".join(strangers))
        self.names(species)

    def _rules(self, species: Sequence[Species]) -> tuple[Rules, list[str]]:
        return rules_of(self.config, named(species, self["names.file"]), self.quiet())

    def names(self, species: Iterable[Species]) -> Names:
        """Return how a model's species are called; raises BirdfieldError when that is unknown."""
        return names_in(species, self["names.lang"], self["names.file"])

    @contextmanager
    def followed(self, species: Sequence[Species]) -> Iterator[LiveRules]:
        """Give the rules; while the block runs, they follow the configuration file.

        Raises:
            BirdfieldError: When they cannot be made at the start.
        """
        live = LiveRules(self.rules(self.config, species))
        if self.config.path is None:
            yield live
            return
        reloader = Reloader(self.config, lambda config: self.rules(config, species), live)
        before = signal.signal(signal.SIGHUP, lambda *_: reloader.request())
        try:
            yield live
        finally:
            signal.signal(signal.SIGHUP, before)
            reloader.close()
