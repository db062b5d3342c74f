"""Recognition: turns files and signals into vectors, decisions and enrolled species."""
