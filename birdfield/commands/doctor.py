"""The commands that look at a machine: doctor and devices."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.console import print_error
from birdfield.commands.options import JsonSwitch, StationModelOption
from birdfield.errors import EXIT_INPUT, BirdfieldError, MissingError

if TYPE_CHECKING:
    from birdfield.capture.devices import Device
    from birdfield.doctor.findings import Finding
    from birdfield.settings.resolve import ResolvedSettings


def doctor(
    model: StationModelOption = None,
    camera: Annotated[
        str | None, typer.Option(help="As watch takes it; else the configuration's.")
    ] = None,
    microphone: Annotated[
        str | None, typer.Option(help="As watch takes it; else the configuration's.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The configuration; else birdfield/birdfield.toml below XDG_CONFIG_HOME.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.zip",
            help="Write what was found, "
            "the configuration without passwords and the "
            "journal's events, for a bug report.",
        ),
    ] = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Check this machine and what a station needs: each line is ok, warn or fail."""
    from birdfield.doctor.findings import Finding
    from birdfield.settings.configuration import StationConfig, find_config, load_config
    from birdfield.settings.resolve import ResolvedSettings

    path, findings = find_config(config), []
    try:
        file = load_config(path)
        findings.append(Finding("configuration", "ok", str(path or "none, the defaults")))
    except BirdfieldError as error:
        file = StationConfig()
        findings.append(Finding("configuration", "fail", str(error), "correct that line"))
    choice = ResolvedSettings(
        file, {"watch.model": model, "watch.camera": camera, "watch.microphone": microphone}
    )
    _show(findings[0], json_lines)
    for finding in examine(choice):
        _show(finding, json_lines)
        findings.append(finding)
    if bundle:
        _write(bundle, findings, choice)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(EXIT_INPUT)


def _show(finding: "Finding", json_lines: bool) -> None:
    print(
        json.dumps(finding.to_json(), ensure_ascii=False) if json_lines else finding.to_line(),
        flush=True,
    )


def _write(path: Path, findings: "list[Finding]", choice: "ResolvedSettings") -> None:
    from birdfield.commands.config import lines_of
    from birdfield.doctor.debug_bundle import gather, write_bundle

    text = "\n".join(lines_of(choice.config, place=False))
    write_bundle(path, gather(findings, text, choice.settings.journal.folder))


def examine(choice: "ResolvedSettings") -> "Iterator[Finding]":
    """Look at one thing after the other."""
    from birdfield.commands.station import retention_of
    from birdfield.doctor import machine as system
    from birdfield.doctor.findings import guarded
    from birdfield.doctor.model import check_inference, check_model, check_species
    from birdfield.doctor.sources import check_camera, check_microphone
    from birdfield.paths import resolve_model

    def rate_hz() -> int:
        from birdfield.model.audio_specs import YAMNET
        from birdfield.model.bundle import load_bundle

        try:
            return load_bundle(resolve_model(choice.model)).audio_spec.rate_hz
        except BirdfieldError:
            return YAMNET.rate_hz

    watch, folder = choice.settings.watch, choice.settings.journal.folder
    looks: dict[str, Callable[[], Finding]] = {
        "versions": system.check_versions,
        "permissions": system.check_permissions,
        "disk": lambda: system.check_disk(folder, retention_of(choice).min_free_bytes),
        "clock": system.check_clock,
        "temperature": system.check_temperature,
        "memory": system.check_memory,
        "camera": lambda: check_camera(watch.camera, watch.crop),
        "microphone": lambda: check_microphone(watch.microphone, rate_hz()),
        "model": lambda: check_model(resolve_model(choice.model)),
    }
    finding = None
    for name, look in looks.items():
        finding = guarded(name, look)
        yield finding
    if finding is not None and finding.state == "ok":
        yield guarded("species", lambda: check_species(choice))
        yield from check_inference(resolve_model(choice.model))


def _device_line(device: "Device") -> str:
    """Return a device with the option that selects it."""
    rate = f", {device.rate_hz:g} Hz" if device.rate_hz else ""
    return f"--{device.kind} {device.use}  ({device.name}{rate})"


def devices(json_lines: JsonSwitch = False) -> None:
    """List the cameras and microphones of this machine, by the names to give to watch."""
    from birdfield.capture.devices import list_cameras, list_microphones

    found = list_cameras()
    try:
        found += list_microphones()
    except MissingError as error:
        print_error(str(error))
    for device in found:
        print(
            json.dumps(device.to_json(), ensure_ascii=False) if json_lines else _device_line(device)
        )
    if not found:
        print_error("no camera and no microphone was found; plug one in, or see birdfield doctor")
        raise typer.Exit(MissingError.exit_code)
