"""Signals: pure functions on pictures and sound, before any model."""
