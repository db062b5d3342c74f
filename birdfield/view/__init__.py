"""View: a watched scene on the terminal."""
