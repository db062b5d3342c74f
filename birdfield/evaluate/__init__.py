"""Evaluation: metrics and scores of a model on photographs and recordings."""
