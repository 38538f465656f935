"""Files of a fleet repository -> model."""
