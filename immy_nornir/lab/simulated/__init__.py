"""Computers of the lab that are all Python: bundles go in, answers come out, a state in memory changes."""
