"""Sound files: where the sound is in a file, whatever its header states, and how to decode it."""
