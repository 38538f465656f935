"""Commands about the files of a fleet."""
