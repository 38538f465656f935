"""Sessions and runs that go on, or are done once more."""
