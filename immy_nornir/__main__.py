"""`python -m immy_nornir` and the command `immy`."""

from immy_nornir.cli.main import main

if __name__ == "__main__":
    main()
