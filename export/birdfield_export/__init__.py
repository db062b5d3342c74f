"""From a training run to a bundle: convert, calibrate, verify, pack."""
