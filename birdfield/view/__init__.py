"""View: the live picture of a watched scene on a terminal."""
