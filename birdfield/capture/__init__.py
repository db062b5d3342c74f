"""Capture: cameras and microphones, as devices, files or network streams."""
