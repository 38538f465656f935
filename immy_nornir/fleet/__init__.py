"""Files of a fleet repository go in, a Fleet or every problem of every file comes out.

`load.load_fleet` is the door for the command line, `inventory.load` that of Nornir's plugin; secrets stay references.
"""
