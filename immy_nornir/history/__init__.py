"""Everything that happened, in one SQLite file: entries of sessions and runs go in, values come out.

`store` is the door for who writes, `queries` for who reads; nobody outside sees SQL.
"""
