"""Settings: the station's configuration, its checks, and the rules made from it."""
