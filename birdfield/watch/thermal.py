"""Thermal: the temperature of the machine, and when to process fewer windows."""

import logging
from pathlib import Path

ZONES = Path("/sys/class/thermal")
HOT_C = 75.0  # a Raspberry Pi slows its cores down from 80 degrees on
COOL_C = 68.0  # below this, every window is processed again
PLAUSIBLE_C = (-40.0, 130.0)  # a zone outside this range has no sensor

log = logging.getLogger(__name__)


def read_celsius(zones: Path) -> float | None:
    """Return the temperature of the kernel's hottest zone; None when no zone is readable."""
    temperatures = [_read_zone(path) for path in zones.glob("thermal_zone*/temp")]
    known = [celsius for celsius in temperatures if celsius is not None]
    return max(known) if known else None


def _read_zone(path: Path) -> float | None:
    try:
        celsius = int(path.read_text()) / 1000
    except (OSError, ValueError):  # some drivers do not answer every read
        return None
    return celsius if PLAUSIBLE_C[0] <= celsius <= PLAUSIBLE_C[1] else None


class HeatMonitor:
    """Decides whether the machine is too hot for the full rate, and logs each change.

    Attributes:
        hot: Whether it is too hot, as of the last update.
    """

    def __init__(self) -> None:
        """Start cool."""
        self.hot = False

    def update(self) -> bool:
        """Read the temperature, and return whether the machine is too hot."""
        celsius = read_celsius(ZONES)
        if celsius is None:
            self.hot = False
        elif not self.hot and celsius >= HOT_C:
            log.warning(
                "the machine is at %.0f degrees Celsius; only every second window is processed",
                celsius,
            )
            self.hot = True
        elif self.hot and celsius < COOL_C:
            log.info(
                "the machine is at %.0f degrees Celsius again; every window is processed", celsius
            )
            self.hot = False
        return self.hot
