"""Clock: corrects the times of a journal's rows after a jump of the wall clock."""

from datetime import datetime, timedelta

from birdfield.journal.database import Journal
from birdfield.journal.times import local_offset_min, utc_text


def last_offset_s(journal: Journal, boot: str) -> float | None:
    """Return the last noted offset of the wall clock from the time since a boot, in seconds.

    Returns:
        The offset; None if no session of the boot noted one.
    """
    row = journal.database.execute(
        "SELECT clock_offset_s FROM sessions WHERE boot = ? AND clock_offset_s IS NOT NULL "
        "ORDER BY id DESC LIMIT 1",
        (boot,),
    ).fetchone()
    return None if row is None else float(row[0])


def note_offset(journal: Journal, offset_s: float) -> None:
    """Write the offset of the wall clock from the time since the boot to the newest session."""
    with journal.transaction() as database:
        database.execute(
            "UPDATE sessions SET clock_offset_s = ? WHERE id = (SELECT max(id) FROM sessions)",
            (offset_s,),
        )


def correct_times(journal: Journal, boot: str, jump_s: float) -> None:
    """Add a jump of the wall clock to all times of a boot's visits and events.

    `clock_shift_s` sums the corrections, so that the original times can be restored.

    Args:
        journal: A journal open for writing.
        boot: The name of the boot.
        jump_s: The jump in seconds, positive if the clock was slow.
    """
    jump = timedelta(seconds=jump_s)

    def corrected(text: str) -> str:
        return utc_text(datetime.fromisoformat(text) + jump)

    of_boot = "session IN (SELECT id FROM sessions WHERE boot = ?)"
    with journal.transaction() as database:
        visits = database.execute(
            f"SELECT id, started, ended FROM visits WHERE {of_boot}", (boot,)
        ).fetchall()
        database.executemany(
            "UPDATE visits SET started = ?, ended = ?, utc_offset_min = ?, "
            "clock_shift_s = clock_shift_s + ? WHERE id = ?",
            [
                (
                    corrected(row["started"]),
                    corrected(row["ended"]),
                    local_offset_min(datetime.fromisoformat(row["started"]) + jump),
                    jump_s,
                    row["id"],
                )
                for row in visits
            ],
        )
        events = database.execute(
            f"SELECT id, time FROM events WHERE {of_boot}", (boot,)
        ).fetchall()
        database.executemany(
            "UPDATE events SET time = ?, clock_shift_s = clock_shift_s + ? WHERE id = ?",
            [(corrected(row["time"]), jump_s, row["id"]) for row in events],
        )
