"""Model: bundles, frontends, encoders, galleries, and stores of enrolled species."""
