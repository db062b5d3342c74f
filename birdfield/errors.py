"""Errors: every failure that a user can meet, each one sentence with an exit code."""

from collections.abc import Sequence

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_STALLED = 4  # `watch` ended itself because its analysis had stopped
EXIT_INTERRUPTED = 130


class BirdfieldError(Exception):
    """A failure described in one sentence: what, got, expected, next step.

    Attributes:
        exit_code: The exit code of a command that ends with this error.
    """

    exit_code = EXIT_INPUT


class InputError(BirdfieldError):
    """A file, folder, bundle or store that birdfield cannot use."""


class ExistsError(InputError):
    """An output file or folder that exists already and may not be replaced."""


class NoModelError(InputError):
    """No model named, and none packaged."""


class UsageError(BirdfieldError):
    """A request that birdfield cannot carry out, such as a malformed option."""

    exit_code = EXIT_USAGE


class AmbiguousNameError(UsageError):
    """A name that several species have."""


class ConfigError(BirdfieldError):
    """A configuration file with an error; a restart does not help."""

    exit_code = EXIT_USAGE


class NoConfigError(ConfigError):
    """No configuration file at the place where it is expected."""


class ConfigFormError(ConfigError):
    """A configuration file that is not TOML, or has an unknown table or key."""


class LocationMissingError(UsageError):
    """A request that needs the location of the station, which is not set."""


class MissingError(BirdfieldError):
    """A package or a device that this machine does not have."""

    exit_code = EXIT_MISSING


def shorten_list(names: Sequence[str], limit: int = 5) -> str:
    """Join the first names with commas, and end with "..." where there are more than limit."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
