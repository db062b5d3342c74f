"""Model: bundles, frontends, encoders, galleries, stores and the species they hold."""
