"""Bounds: the largest values that an option or the configuration accepts."""

MAX_GAP_S = 86_400
MAX_DAYS = 36_500  # a date so many days ago still exists
MAX_GB = 1_000_000
MAX_COUNT = 1_000_000
