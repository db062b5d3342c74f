"""Console: prints answers, figures, progress and errors."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from birdfield.commands.log_format import log_for_programs
from birdfield.errors import BirdfieldError, UsageError
from birdfield.redaction import mask_text

if TYPE_CHECKING:
    from birdfield.model.names import Names
    from birdfield.recognise.observation import Observation


def print_error(sentence: str) -> None:
    """Print an error to stderr, in the format of the log, without the passwords of URLs."""
    if not log_for_programs(sentence):
        print(f"birdfield: {mask_text(sentence)}", file=sys.stderr)


def progress(stage: str, done: int, total: int) -> None:
    """Show the progress of a stage on stderr, if it is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{stage}: {done}/{total}", end=end, file=sys.stderr, flush=True)


def show(
    observations: Iterable["Observation"],
    model_id: str,
    json_lines: bool,
    names: "Names",
    csv: Path | None = None,
) -> None:
    """Print each observation at once, and write all to a CSV file at the end, even after an error.

    Args:
        observations: The observations.
        model_id: The id of the model.
        json_lines: Whether to print JSON lines.
        names: The names of the species.
        csv: The CSV file; None for no file.
    """
    from birdfield.recognise.observation import to_csv, to_json, to_line

    rows, complete = [], False
    try:
        for observation in observations:
            entry = to_json(observation, model_id)
            if csv:
                rows.append(entry)
            print(
                json.dumps(names.localise(entry), ensure_ascii=False)
                if json_lines
                else to_line(observation, names),
                flush=True,
            )
        complete = True
    finally:
        if csv and (complete or rows):  # an error before the first answer keeps an older file
            from birdfield.atomic import write_file

            write_file(csv, to_csv(rows).encode(errors="backslashreplace"))


def show_watch(
    observations: Iterable["Observation"], model_id: str, json_lines: bool, names: "Names"
) -> None:
    """Print each observation of a watched scene at once, as `show` does, with its local time."""
    from birdfield.recognise.observation import to_json, to_watch_line

    for observation in observations:
        entry = names.localise(to_json(observation, model_id))
        line = json.dumps(entry, ensure_ascii=False) if json_lines else None
        print(line or to_watch_line(observation, names), flush=True)


def check_output(file: Path | None, to_stdout: bool = False) -> None:
    """Check, before the work starts, that a file can be written.

    Args:
        file: The file; None for no file.
        to_stdout: Whether - stands for stdout.

    Raises:
        BirdfieldError: When the file cannot be written, or is - without `to_stdout`.
    """
    if file == Path("-"):
        if to_stdout:
            return
        raise UsageError("this command cannot write to -; expected a file name")
    if file:
        from birdfield.atomic import check_writable

        check_writable(file)


def show_figures(table: str, figures: Mapping[str, object], json_file: Path | None) -> None:
    """Print a table and write figures to a JSON file; if the file is -, print only the JSON."""
    text = json.dumps(figures, indent=1)
    if json_file == Path("-"):
        print(text)
        return
    print(table)
    if json_file:
        from birdfield.atomic import write_file

        write_file(json_file, text.encode())


@contextmanager
def name_option(option: str) -> Iterator[None]:
    """Name an option at the start of each error that the block raises."""
    try:
        yield
    except BirdfieldError as error:
        raise type(error)(f"{option}: {error}") from error
