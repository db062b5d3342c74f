"""Series of losses, one event each."""

from datetime import UTC, datetime, timedelta

from birdfield.watch.overruns import BAD_SOUND, EventCoalescer

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_series_that_does_not_end_makes_an_event_each_hour() -> None:
    """A block is refused each 2 s for 2.5 h: events after 1 h and 2 h, and the rest at the end."""
    coalescer, events = EventCoalescer(), []
    for second in range(0, 9000, 2):
        now = NOON + timedelta(seconds=second)
        events += coalescer.update({BAD_SOUND: second // 2 + 1}, now, float(second))
    events += coalescer.close(NOON + timedelta(seconds=9000), 9000.0)
    assert [(event.time - NOON).total_seconds() for event in events] == [0, 3602, 7204]
    assert [event.kind for event in events] == [BAD_SOUND] * 3
    counts = [int(event.detail.split()[0]) for event in events]
    assert counts == [1801, 1801, 898] and sum(counts) == 4500
