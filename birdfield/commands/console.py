"""What commands write beside their answers, and answers that come one by one."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from birdfield.errors import BirdfieldError, UsageError

if TYPE_CHECKING:
    from birdfield.model.names import Names
    from birdfield.recognise.observation import Observation


def print_error(sentence: str) -> None:
    """Write a sentence to stderr."""
    print(f"birdfield: {sentence}", file=sys.stderr)


def progress(what: str, done: int, total: int) -> None:
    """Show how far long work is, on a terminal only."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{what}: {done}/{total}", end=end, file=sys.stderr, flush=True)


def show(
    observations: Iterable["Observation"],
    model_id: str,
    json_lines: bool,
    names: "Names",
    csv: Path | None = None,
) -> None:
    """Print observations as they come; a CSV file gets them at the end, also at an early one."""
    from birdfield.recognise.observation import to_csv, to_json, to_line

    rows, whole = [], False
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
        whole = True
    finally:
        if csv and (whole or rows):  # without an answer an older file is left as it was
            from birdfield.atomic import write_file

            write_file(csv, to_csv(rows).encode(errors="backslashreplace"))


def check_output(file: Path | None, to_stdout: bool = False) -> None:
    """Check, before the work, that a file can be written.

    Args:
        file: The file; None when there is none to write.
        to_stdout: Whether - means stdout.

    Raises:
        BirdfieldError: When it cannot be written, or is -, which means nothing here.
    """
    if file == Path("-"):
        if to_stdout:
            return
        raise UsageError("- is no file, and not stdout here; expected a file's name")
    if file:
        from birdfield.atomic import check_writable

        check_writable(file)


def show_figures(table: str, figures: Mapping[str, object], json_file: Path | None) -> None:
    """Print a table and write figures to a JSON file; if the file is -, print only JSON."""
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
