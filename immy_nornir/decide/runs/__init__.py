"""Runs as a whole: a run's entries go in, its state and its next wave come out; only `session.runs` asks."""
