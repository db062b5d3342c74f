"""Capture: cameras and microphones, live, from files or from the network."""
