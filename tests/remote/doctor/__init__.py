"""Looking computers over: their way, their probes, many at once."""
