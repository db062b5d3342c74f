"""Systemd unit: the command, the user and the permissions of a station."""

import grp
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import EXIT_MISSING, EXIT_USAGE, UsageError

NAME = "birdfield.service"
MARK = "# Written by birdfield service install."
FOLDER = Path("/etc/systemd/system")
WATCHDOG_S = 60
GROUPS = ("video", "audio", "render")  # cameras, microphones, libcamera's copies
DEVICES = ("char-video4linux", "char-media", "char-alsa", "char-dma_heap", "char-drm")


@dataclass(frozen=True)
class Service:
    """The facts of a unit.

    Attributes:
        program: The command line before `watch`.
        user: The user that the station runs as.
        config: The path of the configuration.
        journal: The folder of the journal, the only one that the station may write to.
    """

    program: tuple[str, ...]
    user: str
    config: Path
    journal: Path


def quoted(text: str) -> str:
    """Return a word quoted for a unit.

    Raises:
        UsageError: When the word has control characters.
    """
    if not text.isprintable():
        raise UsageError(
            f"{text!r} cannot stand in a unit; expected a path without control characters"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def existing_groups() -> list[str]:
    """Return the groups of GROUPS that this machine has, since systemd refuses others."""
    return [each.gr_name for each in grp.getgrall() if each.gr_name in GROUPS]


def unit_text(service: Service) -> str:
    """Return the text of the unit."""
    command = " ".join(
        map(
            quoted, (*service.program, "--log", "systemd", "watch", "--config", str(service.config))
        )
    )
    devices = "\n".join(f"DeviceAllow={device} rw" for device in DEVICES)
    # In the path of ReadWritePaths, systemd expands no variable.
    journal = quoted(str(service.journal)).replace("$$", "$")
    return f"""{MARK}
[Unit]
Description=birdfield: birds by sight and by sound
Wants=network-online.target
After=network-online.target time-sync.target sound.target
# A station runs unattended, so it restarts without a limit.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
User={service.user}
SupplementaryGroups={" ".join(existing_groups())}
# The station reports each window; without reports it has stalled.
WatchdogSec={WATCHDOG_S}
TimeoutStartSec=180
Restart=always
RestartSec=10
# A restart does not help against an error in the configuration or a missing package.
RestartPreventExitStatus={EXIT_USAGE} {EXIT_MISSING}
# Answers are discarded; visits are in the journal and in the log.
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
