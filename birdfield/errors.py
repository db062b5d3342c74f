"""The errors that a user sees: one clear sentence each, with the exit code it ends in."""

from collections.abc import Sequence

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_STALLED = 4  # a watch whose analysis stood still, and which ended itself
EXIT_INTERRUPTED = 130


class BirdfieldError(Exception):
    """A failure to be told in one sentence: what, got, expected, next step."""

    exit_code = EXIT_INPUT


class InputError(BirdfieldError):
    """A file, folder, bundle or store that cannot be used as it is."""


class UsageError(BirdfieldError):
    """A command line that cannot be carried out as it was written."""

    exit_code = EXIT_USAGE


class ConfigError(BirdfieldError):
    """A configuration file that cannot be followed; starting again would not help."""

    exit_code = EXIT_USAGE


class MissingError(BirdfieldError):
    """A package or a device that this machine lacks."""

    exit_code = EXIT_MISSING


def shorten_list(names: Sequence[str], most: int = 5) -> str:
    """Name the first few of many, for a sentence."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
