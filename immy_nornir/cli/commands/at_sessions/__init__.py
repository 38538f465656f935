"""`immy sessions`."""
