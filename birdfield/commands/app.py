"""Command line: registers the commands, and turns errors into sentences and exit codes."""

import codecs
import io
import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from birdfield import __version__
from birdfield.commands import (
    bench,
    config,
    doctor,
    evaluate,
    identify,
    info,
    report,
    rescore,
    service,
    species,
    visits,
    watch,
    workstation,
)
from birdfield.commands.console import print_error
from birdfield.errors import (
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    BirdfieldError,
    ConfigFormError,
    ExistsError,
    LocationMissingError,
    NoConfigError,
    NoModelError,
)

log = logging.getLogger(__name__)


def _with_option(error: BirdfieldError) -> str:
    """Return an error's sentence and the option that helps: no other package knows options."""
    if isinstance(error, ExistsError):
        return f"{error} or add --force"
    if isinstance(error, NoModelError):
        return f"{error}; the option is --model NAME.birdfield"
    if isinstance(error, LocationMissingError):
        return f"{error}; add --location LATITUDE,LONGITUDE,NAME"
    if isinstance(error, NoConfigError):
        return f"{error}; birdfield config init writes one"
    if isinstance(error, ConfigFormError):
        return f"{error}; birdfield config init writes a file with every key"
    return str(error)


class SentenceGroup(TyperGroup):
    """A group of commands whose errors are one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return self._invoke_and_flush(ctx)
        except BirdfieldError as error:
            print_error(_with_option(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            print_error("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except BrokenPipeError as error:
            # The reader closed the pipe; without this, the flush at exit fails again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_INPUT) from error
        except OSError as error:
            print_error(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(EXIT_INPUT) from error

    def _invoke_and_flush(self, ctx: Any) -> Any:
        """Run a command; a reader that has left is noticed here, not at the interpreter's end."""
        try:
            return super().invoke(ctx)
        finally:
            sys.stdout.flush()


# Plain help: importing Rich and its Markdown takes longer than all other imports.
app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recognise birds by sight and sound, offline.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"birdfield {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more details.")] = False,
    log: Annotated[
        str, typer.Option(metavar="FORMAT", help="The log format: plain, json or systemd.")
    ] = "plain",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from birdfield.commands.log_format import set_up_log

    set_up_log(log, verbose)


app.add_typer(species.app, name="species")
app.add_typer(config.app, name="config")
app.add_typer(service.app, name="service")


for command in (
    identify.identify,
    watch.watch,
    evaluate.evaluate,
    bench.bench,
    info.info,
    species.enrol,
    workstation.train,
    workstation.export,
    visits.visits,
    report.report,
    visits.export_visits,
    rescore.rescore,
    doctor.doctor,
    doctor.devices,
    service.status,
):
    app.command()(command)


def _as_json_escapes(error: UnicodeError) -> tuple[str, int]:
    r"""Replace what an encoding lacks by \uXXXX, so that JSON stays JSON also in ASCII.

    A file name may contain bytes that are not UTF-8; they become \udcXX.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def main() -> None:
    """Run the command line."""
    from birdfield.commands.log_format import describe, log_uncaught_errors
    from birdfield.commands.native_output import divert_native_output, open_standard_streams

    open_standard_streams()
    divert_native_output()
    log_uncaught_errors()
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("json", _as_json_escapes)
        sys.stdout.reconfigure(errors="json")
    try:
        app()
    except Exception as error:
        log.debug("unexpected error", exc_info=error)
        print_error(
            f"unexpected error, {describe(error)}; run it again with birdfield --verbose, "
            "and report what that prints"
        )
        sys.exit(EXIT_INPUT)
