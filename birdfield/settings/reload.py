"""Following a configuration file while a scene is watched: on SIGHUP, or when the file changes."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from birdfield.errors import BirdfieldError
from birdfield.settings.rules import LiveRules, Rules
from birdfield.settings.schema import KEYS, StationConfig, load_config

POLL_S = 1.0  # from one look at the files to the next

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int] | None, ...]


def stamp_of(paths: Iterable[Path | None]) -> Stamp:
    """Tell files' states: modified, size and inode of each; None of one that is not there."""
    stamps: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            found = path.stat() if path else None
        except OSError:
            found = None
        stamps.append((found.st_mtime_ns, found.st_size, found.st_ino) if found else None)
    return tuple(stamps)


class FileChangeDebouncer:
    """Files that change and then rest: many editors empty a file before they write it."""

    def __init__(self, stamp: Stamp) -> None:
        """Start with their state."""
        self._known = self._before = stamp

    def changed(self, stamp: Stamp) -> bool:
        """Take the state at the next look; tells once that they changed, when they rest."""
        rests, self._before = stamp == self._before, stamp
        news = rests and stamp != self._known
        if news:
            self._known = stamp
        return news


class Reloader:
    """Reads a configuration again in a thread of its own; the scene is never waiting for it.

    Attributes:
        count: How often a file was read again and taken.
        refused: How often it was not.
    """

    def __init__(
        self,
        config: StationConfig,
        settle: Callable[[StationConfig], Rules],
        live: LiveRules,
        poll_s: float = POLL_S,
    ) -> None:
        """Follow a configuration.

        Args:
            config: As it was at the start, of a file.
            settle: Makes the rules of a configuration, or raises BirdfieldError.
            live: Where they go.
            poll_s: From one look at the file to the next.
        """
        self._config, self._settle, self._live, self._poll_s = config, settle, live, poll_s
        self.count = self.refused = 0
        self._rest = FileChangeDebouncer(self._look())
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Read again now; may be called by a signal handler."""
        self._wake.set()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _look(self) -> Stamp:
        return stamp_of((self._config.path, self._config["species.checklist"]))

    def _run(self) -> None:
        while True:
            asked = self._wake.wait(self._poll_s)
            self._wake.clear()
            if self._stop.is_set():
                return
            stamp = self._look()
            if self._rest.changed(stamp) or asked:
                self._rest = FileChangeDebouncer(
                    stamp
                )  # what was asked for is not news at the next look
                self._reload()

    def _reload(self) -> None:
        try:
            config = load_config(self._config.path)
            rules = self._settle(config)
        except (BirdfieldError, OSError, ValueError, RecursionError) as error:
            # Whatever it is: nobody is there to start this thread again.
            self.refused += 1
            log.error("THE CONFIGURATION WAS NOT TAKEN, what was in force stays so: %s", error)
            self._live.notes.append(("configuration refused", str(error)))
            return
        stale = [key for key in KEYS if not KEYS[key].live and config[key] != self._config[key]]
        for key in stale:
            log.warning("%s changed; that takes a restart", key)
        # What takes a restart is told again at the next change, until there was one.
        kept = {key: self._config[key] for key in stale}
        checklist = self._config["species.checklist"]
        self._config = StationConfig(config.path, {**config.values, **kept}, config.lines)
        if config["species.checklist"] != checklist:
            self._rest = FileChangeDebouncer(self._look())
        self._live.current = rules
        self.count += 1
        log.info("configuration read again: %s", config.path)
        self._live.notes.append(("configuration read", str(config.path)))
