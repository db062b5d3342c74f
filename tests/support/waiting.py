"""Waiting: polls for something that happens in another thread or process."""

import time
from collections.abc import Callable

import pytest

TIMEOUT_S = 90.0  # long, since machines may be slow and busy


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail the test, and name `what`, after TIMEOUT_S."""
    end_s = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"waited {TIMEOUT_S:g} s in vain for {what}")
        time.sleep(0.05)
