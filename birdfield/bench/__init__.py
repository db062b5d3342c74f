"""Bench: times models on this machine, stage by stage, and measures watching with them."""
