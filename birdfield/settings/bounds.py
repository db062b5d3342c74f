"""Bounds: the largest values that an option or the configuration accepts, and their defaults."""

DEFAULT_GAP_S = 30
DEFAULT_KEEP_BEST = 10
DEFAULT_KEEP_FREE_GB = 0.5

MAX_GAP_S = 86_400
MAX_DAYS = 36_500  # a date so many days ago still exists
MAX_GB = 1_000_000
MAX_COUNT = 1_000_000
