"""Signals: pure functions on pictures and sound, which need no model."""
