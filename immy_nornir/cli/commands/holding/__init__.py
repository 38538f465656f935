"""`immy freeze` and `immy unfreeze`."""
