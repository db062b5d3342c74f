"""Which visits are of a species that is new here, or rare: by what came before them."""

from birdfield.journal.database import Journal

MIN_VISITS = 100  # visits, before any can be called rare
RARE_SHARE = 0.01  # of the visits up to then: a species with less is rare

# Of each visit: how many of its species, and how many of any, were before it.
EARLIER = (
    "SELECT id AS visit, row_number() OVER (PARTITION BY species ORDER BY started, id) - 1 AS own, "
    "row_number() OVER (ORDER BY started, id) - 1 AS total FROM visits WHERE species IS NOT NULL"
)


def mark_of(own: int | None, total: int | None) -> str | None:
    """Say "new", "rare" or nothing.

    Args:
        own: How many visits of the species were before; None for an undecided visit.
        total: How many of any species.
    """
    if own is None or total is None:
        return None
    if own == 0:
        return "new"
    return "rare" if total >= MIN_VISITS and own < RARE_SHARE * total else None


def mark_next(journal: Journal, species: str | None) -> str | None:
    """Say what the next visit of a species will be, as the newest of all."""
    if species is None:
        return None
    own, total = journal.database.execute(
        "SELECT count(*) FILTER (WHERE species = ?), count(species) FROM visits", (species,)
    ).fetchone()
    return mark_of(own, total)
