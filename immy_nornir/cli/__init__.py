"""The command line: words of an operator go in, one call is made, data goes to stdout and talk to stderr, an exit code comes out.

Nobody calls it but `__main__`; only here something is printed, and only here the process ends.
"""
