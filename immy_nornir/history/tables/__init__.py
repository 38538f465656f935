"""Tables that are read and written by themselves, beside the records."""
