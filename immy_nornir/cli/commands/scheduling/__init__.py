"""`immy schedule`."""
