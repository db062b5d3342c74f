"""Commands `doctor` and `devices`: check a machine and list its devices."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.console import print_error
from birdfield.commands.options import ConfigOption, JsonSwitch, StationModelOption
from birdfield.errors import EXIT_INPUT, BirdfieldError, MissingError

if TYPE_CHECKING:
    from birdfield.capture.devices import Device
    from birdfield.doctor.findings import Finding
    from birdfield.settings.resolve import ResolvedSettings

DEVICES_HINT = "to list the devices, run: birdfield devices"


def doctor(
    model: StationModelOption = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="As for watch; default: from the configuration."),
    ] = None,
    microphone: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="As for watch; default: from the configuration."),
    ] = None,
    config: ConfigOption = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.zip",
            help="Write a file for a bug report: the results, the configuration without "
            "passwords, and the journal's events.",
        ),
    ] = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Check this machine, its camera, microphone and model.

    Each line is ok, warn or fail; warn and fail say what to do.
    """
    from birdfield.doctor.findings import Finding
    from birdfield.settings.configuration import StationConfig, find_config, load_config
    from birdfield.settings.resolve import ResolvedSettings

    path, findings = find_config(config), []
    try:
        file = load_config(path)
        findings.append(Finding("configuration", "ok", str(path or "no file, the defaults")))
    except BirdfieldError as error:
        file = StationConfig()
        findings.append(Finding("configuration", "fail", str(error), "correct that line"))
    choice = ResolvedSettings(
        file, {"watch.model": model, "watch.camera": camera, "watch.microphone": microphone}
    )
    _print(findings[0], json_lines)
    for finding in examine(choice):
        _print(finding, json_lines)
        findings.append(finding)
    if bundle:
        _write_bundle(bundle, findings, choice)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(EXIT_INPUT)


def _print(finding: "Finding", json_lines: bool) -> None:
    print(
        json.dumps(finding.to_json(), ensure_ascii=False) if json_lines else finding.to_line(),
        flush=True,
    )


def _write_bundle(path: Path, findings: "list[Finding]", choice: "ResolvedSettings") -> None:
    from birdfield.commands.config import lines_of
    from birdfield.doctor.debug_bundle import collect_texts, write_bundle

    text = "\n".join(lines_of(choice.config, place=False))
    write_bundle(path, collect_texts(findings, text, choice.settings.journal.folder))


def examine(choice: "ResolvedSettings") -> "Iterator[Finding]":
    """Run all checks, one after the other."""
    from birdfield.doctor.findings import run_check
    from birdfield.doctor.model import check_inference, check_species
    from birdfield.paths import resolve_model

    finding = None
    for name, check in _checks(choice).items():
        finding = _with_devices_hint(run_check(name, check), choice)
        yield finding
    if finding is not None and finding.state == "ok":  # the model is usable
        yield run_check("species", lambda: check_species(choice))
        yield from check_inference(resolve_model(choice.model))


def _checks(choice: "ResolvedSettings") -> "dict[str, Callable[[], Finding]]":
    """Return the checks by name; the last one is of the model."""
    from birdfield.commands.station import retention_of
    from birdfield.doctor import hardware, software
    from birdfield.doctor.model import check_model
    from birdfield.doctor.sources import check_camera, check_microphone
    from birdfield.paths import resolve_model

    watch, folder = choice.settings.watch, choice.settings.journal.folder
    return {
        "versions": software.check_versions,
        "permissions": software.check_permissions,
        "disk": lambda: hardware.check_disk(folder, retention_of(choice).min_free_bytes),
        "clock": hardware.check_clock,
        "temperature": hardware.check_temperature,
        "memory": hardware.check_memory,
        "camera": lambda: check_camera(watch.camera, watch.crop),
        "microphone": lambda: check_microphone(watch.microphone, _rate_hz(choice)),
        "model": lambda: check_model(resolve_model(choice.model)),
    }


def _rate_hz(choice: "ResolvedSettings") -> int:
    """Return the sample rate of the model; without a usable model, that of YAMNet."""
    from birdfield.model.audio_specs import YAMNET
    from birdfield.model.bundle import load_bundle
    from birdfield.paths import resolve_model

    try:
        return load_bundle(resolve_model(choice.model)).audio_spec.rate_hz
    except BirdfieldError:
        return YAMNET.rate_hz


def _with_devices_hint(finding: "Finding", choice: "ResolvedSettings") -> "Finding":
    """Name the command that lists devices when a device fails."""
    watch = choice.settings.watch
    source = {"camera": watch.camera, "microphone": watch.microphone}.get(finding.name)
    if source is None or "://" in source or finding.state != "fail":
        return finding
    return replace(finding, todo=f"{finding.todo}; {DEVICES_HINT}")


def _device_line(device: "Device") -> str:
    """Return a device with the option that selects it."""
    rate = f", {device.rate_hz:g} Hz" if device.rate_hz else ""
    return f"--{device.kind} {device.use}  ({device.name}{rate})"


def devices(json_lines: JsonSwitch = False) -> None:
    """List the cameras and microphones of this machine.

    Each line starts with the option that selects the device.
    """
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
        print_error("found no camera and no microphone; plug one in, or run birdfield doctor")
        raise typer.Exit(MissingError.exit_code)
