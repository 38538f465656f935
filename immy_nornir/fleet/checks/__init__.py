"""What no single file can show: a loaded fleet goes in, problems with places come out; for `lint` and `run`."""
