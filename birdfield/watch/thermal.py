"""How hot the machine is, and when to do less because of it."""

import logging
from pathlib import Path

ZONES = Path("/sys/class/thermal")
HOT_C = 75.0  # a Raspberry Pi slows its cores down from 80 on
COOL_C = 68.0  # work goes on at the full rate below this
SANE_C = (-40.0, 130.0)  # a zone that tells anything else is not connected

log = logging.getLogger(__name__)


def read_celsius(zones: Path) -> float | None:
    """Read the hottest of the kernel's zones; None where there is none that tells."""
    temperatures = [_read_zone(path) for path in zones.glob("thermal_zone*/temp")]
    known = [celsius for celsius in temperatures if celsius is not None]
    return max(known) if known else None


def _read_zone(path: Path) -> float | None:
    try:
        celsius = int(path.read_text()) / 1000
    except (OSError, ValueError):  # some drivers answer only now and then
        return None
    return celsius if SANE_C[0] <= celsius <= SANE_C[1] else None


class Heat:
    """Whether the machine is too hot for the full rate; logs each change once."""

    def __init__(self) -> None:
        """Take it for cool."""
        self.hot = False

    def update(self) -> bool:
        """Read the temperature; returns whether to do less."""
        celsius = read_celsius(ZONES)
        if celsius is None:
            self.hot = False
        elif not self.hot and celsius >= HOT_C:
            log.warning(
                "the machine is at %.0f degrees Celsius; every second window is left out", celsius
            )
            self.hot = True
        elif self.hot and celsius < COOL_C:
            log.info("the machine is at %.0f degrees Celsius again; no window is left out", celsius)
            self.hot = False
        return self.hot
