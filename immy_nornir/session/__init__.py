"""Sessions and runs in this process: specs go in, the loops do what `decide` says, entries come out into the history.

`runs` and `taking_up` are the doors for the command line, `live` for Nornir's task; the rest is theirs.
"""
