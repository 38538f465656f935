"""The record of sessions and runs as values: the words of a session, the entries of its record, the entries of a run.

Everything may read these; only `session` and `history` make entries of them.
"""
