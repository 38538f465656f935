"""The command line: words go in, one call is made, data goes to stdout, talk to stderr, and an exit code comes out.

Nobody calls it but `__main__`; only here something is printed, and only here the process ends.
"""
