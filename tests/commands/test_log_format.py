"""Log format: plain, for systemd, and as JSON."""

import logging
from datetime import UTC, datetime

import pytest
from command_line import assert_refused, run

from birdfield.commands.log_format import FORMATS


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("plain", "12:00:00 WARNING two\nlines"),
        ("systemd", "<4>two\n<4>lines"),
        (
            "json",
            '{"time": "2026-05-01T12:00:00.000+00:00", "level": "warning", "logger": "bird", '
            '"message": "two\\nlines"}',
        ),
    ],
)
def test_the_log_has_three_formats(form: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    record = logging.LogRecord("bird", logging.WARNING, "", 0, "two\n%s", ("lines",), None)
    record.created = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
    record.msecs = 0
    assert FORMATS[form]().format(record) == line
    monkeypatch.undo()
    time.tzset()


def test_an_unknown_log_format_is_refused() -> None:
    assert_refused(run("--log", "xml", "devices"), 2, "--log is 'xml'; expected one of plain")
