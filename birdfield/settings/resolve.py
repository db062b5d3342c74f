"""Resolved settings: options of the command line over the configuration file over the defaults."""

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from birdfield.capture.latency import Latency
from birdfield.errors import ConfigError, LocationMissingError
from birdfield.model.names import Names, add_names, names_for
from birdfield.model.species import Species
from birdfield.settings.configuration import StationConfig
from birdfield.settings.quiet_hours import QuietHours, parse_quiet
from birdfield.settings.reload import Reloader
from birdfield.settings.rules import LiveRules, Rules, rules_of
from birdfield.settings.schema import Settings, with_values


class ResolvedSettings:
    """The settings in force.

    Attributes:
        config: The configuration file.
        overridden: The keys, such as "watch.camera", that an option overrides.
        settings: The values of the options over those of the file over the defaults.
    """

    def __init__(self, config: StationConfig, options: Mapping[str, object]) -> None:
        """Combine a configuration and options.

        Args:
            config: The configuration file.
            options: Settings by the keys that they override; None and False are not given.
        """
        self.config = config
        self._options = {
            key: value for key, value in options.items() if value is not None and value is not False
        }
        self.overridden = frozenset(self._options)
        self.settings: Settings = with_values(config.settings, self._options)

    @property
    def model(self) -> Path | None:
        """The bundle; None if BIRDFIELD_MODEL, which overrides the file, or the starter decides."""
        if "watch.model" not in self.overridden and os.environ.get("BIRDFIELD_MODEL"):
            return None
        return self.settings.watch.model

    @property
    def latency(self) -> Latency:
        """The delays of the sources."""
        watch = self.settings.watch
        return Latency(watch.camera_latency_s, watch.microphone_latency_s)

    def quiet(self, what: str = "quiet.hours") -> QuietHours | None:
        """Return the quiet hours; None if there are none, or no journal.

        Args:
            what: The name of the option for quiet hours, for the message of an error.

        Raises:
            UsageError: If the option has another form, or needs a location that is not set.
            ConfigError: If the file asks for hours that need a location.
        """
        hours = self.settings.quiet.hours
        if hours is None:
            return None
        try:
            quiet = parse_quiet(hours, self.settings.place.location, what)
        except LocationMissingError as error:
            if "quiet.hours" in self.overridden:
                raise
            raise ConfigError(
                f"{self.config.where('quiet', 'hours')} is {hours!r}, which follows the sun; "
                "set place.location"
            ) from error
        return quiet if self.settings.journal.folder else None

    def rules(self, config: StationConfig, species: Sequence[Species]) -> Rules:
        """Return the rules of a newer configuration, under the same options.

        Raises:
            BirdfieldError: If the rules cannot be made.
        """
        return ResolvedSettings(config, self._options)._rules(species)

    def check(self, species: Sequence[Species]) -> None:
        """Check the rules and the names against a model's species.

        Raises:
            BirdfieldError: If they cannot be followed.
        """
        self._rules(species)
        self.names(species)

    def _rules(self, species: Sequence[Species]) -> Rules:
        names_file = self.settings.names.file
        return rules_of(self.config, add_names(species, names_file), self.quiet())

    def names(self, species: Iterable[Species]) -> Names:
        """Return the names under which a model's species are shown.

        Raises:
            BirdfieldError: If the names file cannot be read, or has no name in the language.
        """
        return names_for(species, self.settings.names.lang, self.settings.names.file)

    @contextmanager
    def followed(self, species: Sequence[Species]) -> Iterator[LiveRules]:
        """Yield the rules, which follow changes of the configuration file during the block.

        Raises:
            BirdfieldError: If the first rules cannot be made.
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
