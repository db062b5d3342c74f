"""Export on a workstation: from a training run to a bundle."""
