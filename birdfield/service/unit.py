"""The systemd unit of a station: what it runs, as whom, and what it may touch."""

import grp
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import EXIT_MISSING, EXIT_USAGE, UsageError

NAME = "birdfield.service"
MARK = "# Written by birdfield service install."
FOLDER = Path("/etc/systemd/system")
WATCHDOG_S = 60
GROUPS = ("video", "audio", "render")  # cameras, microphones, what libcamera copies with
DEVICES = ("char-video4linux", "char-media", "char-alsa", "char-dma_heap", "char-drm")


@dataclass(frozen=True)
class Service:
    """What a unit is about.

    Attributes:
        program: The command line before `watch`.
        user: Whom it runs as.
        config: The configuration.
        journal: The only folder that it may write to.
    """

    program: tuple[str, ...]
    user: str
    config: Path
    journal: Path


def quoted(text: str) -> str:
    """Write a word as systemd reads it; raises UsageError when that cannot be."""
    if not text.isprintable():
        raise UsageError(
            f"{text!r} cannot stand in a unit; expected a path without control characters"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def existing_groups() -> list[str]:
    """Return the groups of devices that this machine has: systemd refuses others."""
    return [each.gr_name for each in grp.getgrall() if each.gr_name in GROUPS]


def unit_text(service: Service) -> str:
    """Write the unit."""
    command = " ".join(
        map(
            quoted, (*service.program, "--log", "systemd", "watch", "--config", str(service.config))
        )
    )
    devices = "\n".join(f"DeviceAllow={device} rw" for device in DEVICES)
    # A path of this setting is not subject to $, and is relative to nothing.
    journal = quoted(str(service.journal)).replace("$$", "$")
    return f"""{MARK}
[Unit]
Description=birdfield: birds by sight and by sound
Wants=network-online.target
After=network-online.target time-sync.target sound.target
# A station has nobody beside it: it is started again for ever.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
User={service.user}
SupplementaryGroups={" ".join(existing_groups())}
# One sign of life a window; without, the analysis stands still.
WatchdogSec={WATCHDOG_S}
TimeoutStartSec=180
Restart=always
RestartSec=10
# What the configuration or a missing package forbids, no restart allows.
RestartPreventExitStatus={EXIT_USAGE} {EXIT_MISSING}
# Answers go nowhere: visits are in the journal, and the log.
StandardOutput=null
StandardError=journal
RuntimeDirectory=birdfield
RuntimeDirectoryMode=0755
UMask=0077
WorkingDirectory=/

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=-{journal}
PrivateTmp=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
DevicePolicy=closed
{devices}

[Install]
WantedBy=multi-user.target
"""
