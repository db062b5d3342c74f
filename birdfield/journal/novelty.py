"""Novelty: marks visits of species that are new in a journal, or rare in it."""

from collections import Counter

from birdfield.journal.database import Journal

MIN_VISITS = 100  # visits, below which no species is rare
RARE_SHARE = 0.01  # of the earlier visits: a species with a smaller share is rare

ALL = "SELECT species, count(*) FROM visits WHERE species IS NOT NULL GROUP BY species"
FROM_FIRST = "started >= ? AND (started > ? OR id >= ?)"  # the first visit that is marked, or later


class Marker:
    """Marks visits in the order of their start, without reading those before the first."""

    def __init__(self, journal: Journal, started: str, visit: int) -> None:
        """Count the visits before the first one that is marked.

        Args:
            journal: An open journal.
            started: The start of the first visit, as UTC text.
            visit: Its id.
        """
        first = (started, started, visit)
        ask = journal.database.execute
        self._own = Counter(dict(map(tuple, ask(ALL))))
        # The plus signs keep SQLite from reading all visits in the order of species.
        later = ask(
            "SELECT species, count(*) FROM visits "
            f"WHERE {FROM_FIRST} AND +species IS NOT NULL GROUP BY +species",
            first,
        )
        self._own.subtract(dict(map(tuple, later)))
        self._total = self._own.total()
        self._rows = ask(
            f"SELECT id, species FROM visits WHERE {FROM_FIRST} ORDER BY started, id",
            first,
        )

    def mark(self, visit: int) -> str | None:
        """Return the mark of a visit, which comes after those that were marked before it."""
        for number, species in self._rows:
            mark = None
            if species is not None:
                mark = mark_of(self._own[species], self._total)
                self._own[species] += 1
                self._total += 1
            if number == visit:
                return mark
        return None


def mark_of(own: int | None, total: int | None) -> str | None:
    """Return the mark of a visit: "new", "rare" or None.

    Args:
        own: The number of earlier visits of its species; None for an undecided visit.
        total: The number of earlier visits of all species.
    """
    if own is None or total is None:
        return None
    if own == 0:
        return "new"
    return "rare" if total >= MIN_VISITS and own < RARE_SHARE * total else None


def mark_next(journal: Journal, species: str | None) -> str | None:
    """Return the mark of the next visit of a species, as the newest in the journal."""
    if species is None:
        return None
    own, total = journal.database.execute(
        "SELECT count(*) FILTER (WHERE species = ?), count(species) FROM visits",
        (species,),
    ).fetchone()
    return mark_of(own, total)
