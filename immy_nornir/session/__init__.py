"""The stages of a session and the loop over its record."""
