"""The times of a journal's rows, after the clock that gave them turned out to be wrong."""

from datetime import datetime, timedelta

from birdfield.journal.database import Journal, local_offset_min, utc_text


def last_offset_s(journal: Journal, boot: str) -> float | None:
    """Return wall clock less time since the start, as last noted in this boot; None if never."""
    row = journal.database.execute(
        "SELECT clock_offset_s FROM sessions WHERE boot = ? AND clock_offset_s IS NOT NULL "
        "ORDER BY id DESC LIMIT 1",
        (boot,),
    ).fetchone()
    return None if row is None else float(row[0])


def note_offset(journal: Journal, offset_s: float) -> None:
    """Write down how far the wall clock is from the time since the start, in the newest session."""
    with journal.transaction() as database:
        database.execute(
            "UPDATE sessions SET clock_offset_s = ? WHERE id = (SELECT max(id) FROM sessions)",
            (offset_s,),
        )


def correct_times(journal: Journal, boot: str, jump_s: float) -> None:
    """Move the times of all that was written in a boot by what the clock jumped.

    `clock_shift_s` adds up what was moved, so that the first times can be had back.
    """
    moved = timedelta(seconds=jump_s)

    def later(text: str) -> str:
        return utc_text(datetime.fromisoformat(text) + moved)

    ours = "session IN (SELECT id FROM sessions WHERE boot = ?)"
    with journal.transaction() as database:
        visits = database.execute(
            f"SELECT id, started, ended FROM visits WHERE {ours}", (boot,)
        ).fetchall()
        database.executemany(
            "UPDATE visits SET started = ?, ended = ?, utc_offset_min = ?, "
            "clock_shift_s = clock_shift_s + ? WHERE id = ?",
            [
                (
                    later(row["started"]),
                    later(row["ended"]),
                    local_offset_min(datetime.fromisoformat(row["started"]) + moved),
                    jump_s,
                    row["id"],
                )
                for row in visits
            ],
        )
        events = database.execute(f"SELECT id, time FROM events WHERE {ours}", (boot,)).fetchall()
        database.executemany(
            "UPDATE events SET time = ?, clock_shift_s = clock_shift_s + ? WHERE id = ?",
            [(later(row["time"]), jump_s, row["id"]) for row in events],
        )
