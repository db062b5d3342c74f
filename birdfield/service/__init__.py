"""Service: the systemd unit, the liveness monitor, and the status files of running watches."""
