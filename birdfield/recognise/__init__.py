"""Recognition: from files and signals to vectors, decisions and enrolled species."""
