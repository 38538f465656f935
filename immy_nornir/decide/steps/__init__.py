"""What is next: a session's entries go in, its state and the one next step come out; only `session` asks."""
