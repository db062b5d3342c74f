"""Service: the systemd unit, the sign of life and the status files of a running watch."""
