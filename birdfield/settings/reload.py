"""Reloader: reads the configuration again, on SIGHUP or when a file changes, during a watch."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from birdfield.errors import BirdfieldError
from birdfield.settings.configuration import StationConfig, load_config
from birdfield.settings.rules import LiveRules, Rules
from birdfield.settings.schema import KEYS, value_of, with_values

POLL_S = 1.0  # time between two looks at the files

log = logging.getLogger(__name__)

FileState = tuple[int, int, int]  # time of modification in ns, size in bytes, inode
Stamp = tuple[FileState | None, ...]  # one state a file; None where there is no file


def stamp_of(paths: Iterable[Path | None]) -> Stamp:
    """Return the states of files."""
    states: list[FileState | None] = []
    for path in paths:
        try:
            found = path.stat() if path else None
        except OSError:
            found = None
        states.append((found.st_mtime_ns, found.st_size, found.st_ino) if found else None)
    return tuple(states)


class FileChangeDebouncer:
    """Detector of changes after which files stay as they are.

    Many editors empty a file before they write it, so a file counts as changed once two looks in
    succession find the same new state.
    """

    def __init__(self, stamp: Stamp) -> None:
        """Start with the present states of the files."""
        self._known = self._previous = stamp

    def changed(self, stamp: Stamp) -> bool:
        """Return, once for each change, whether the files have changed and are stable.

        Args:
            stamp: The states of the files at this look.
        """
        stable, self._previous = stamp == self._previous, stamp
        if not stable or stamp == self._known:
            return False
        self._known = stamp
        return True


class Reloader:
    """A thread that reads a configuration again, so that the scene never waits for it.

    Attributes:
        count: The number of reloads that took effect.
        refused: The number of reloads that failed and changed nothing.
    """

    def __init__(
        self,
        config: StationConfig,
        make_rules: Callable[[StationConfig], Rules],
        live: LiveRules,
        poll_s: float = POLL_S,
    ) -> None:
        """Start to follow a configuration.

        Args:
            config: The configuration at the start, read from a file.
            make_rules: Returns the rules of a configuration, or raises BirdfieldError.
            live: The rules in force, which a reload replaces.
            poll_s: The time between two looks at the files, in seconds.
        """
        self._config, self._make_rules, self._live = config, make_rules, live
        self._poll_s = poll_s
        self.count = self.refused = 0
        self._debouncer = FileChangeDebouncer(self._look())
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Read the configuration again now; safe in a signal handler."""
        self._wake.set()

    def close(self) -> None:
        """Stop following the configuration."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _look(self) -> Stamp:
        return stamp_of((self._config.path, self._config.settings.species.checklist))

    def _run(self) -> None:
        while True:
            requested = self._wake.wait(self._poll_s)
            self._wake.clear()
            if self._stop.is_set():
                return
            stamp = self._look()
            if self._debouncer.changed(stamp) or requested:
                # The state that this reload reads is no change at the next look.
                self._debouncer = FileChangeDebouncer(stamp)
                self._reload()

    def _reload(self) -> None:
        try:
            config = load_config(self._config.path)
            rules = self._make_rules(config)
        except (BirdfieldError, OSError, ValueError, RecursionError) as error:
            # Catch whatever a broken file can cause: nothing would restart this thread.
            self.refused += 1
            log.error("CONFIGURATION REFUSED, the previous one stays in force: %s", error)
            self._live.notes.append(("configuration refused", str(error)))
            return
        self._adopt(config)
        self._live.current = rules
        self.count += 1
        log.info("configuration read again: %s", config.path)
        self._live.notes.append(("configuration read", str(config.path)))

    def _adopt(self, config: StationConfig) -> None:
        """Follow a new configuration, with the old values where a change needs a restart."""
        old = self._config.settings
        pending = [
            name
            for name, key in KEYS.items()
            if not key.live and value_of(config.settings, name) != value_of(old, name)
        ]
        for name in pending:
            log.warning("%s changed; restart the watch for the change to take effect", name)
        # The old values stay, so that the next reload warns again.
        kept = {name: value_of(old, name) for name in pending}
        self._config = replace(config, settings=with_values(config.settings, kept))
        if config.settings.species.checklist != old.species.checklist:
            self._debouncer = FileChangeDebouncer(self._look())
