"""Bench: times of a model's stages on this machine, side by side with those of other models."""
