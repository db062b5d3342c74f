"""Settings: the station's configuration, its checks, and the rules that follow from it."""
