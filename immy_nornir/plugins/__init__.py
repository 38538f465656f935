"""All that is Nornir: our sessions go in as tasks of a run, Nornir's inventory, runner and results come out.

The command line calls `batches`; Nornir itself loads `inventory` and `runner` by their entry points.
"""
