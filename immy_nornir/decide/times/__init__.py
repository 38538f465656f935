"""Wall clocks, zones, dates, windows -> instants; pure."""
