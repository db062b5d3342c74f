"""Novelty: marks visits of species that are new in a journal, or rare in it."""

from birdfield.journal.database import Journal

MIN_VISITS = 100  # visits, below which no species is rare
RARE_SHARE = 0.01  # of the earlier visits: a species with a smaller share is rare

# For each visit: the number of earlier visits of its species, and of all species.
EARLIER_VISITS = (
    "SELECT id AS visit, row_number() OVER (PARTITION BY species ORDER BY started, id) - 1 AS own, "
    "row_number() OVER (ORDER BY started, id) - 1 AS total FROM visits WHERE species IS NOT NULL"
)


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
        "SELECT count(*) FILTER (WHERE species = ?), count(species) FROM visits", (species,)
    ).fetchone()
    return mark_of(own, total)
