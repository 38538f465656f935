"""`python -m immy_nornir` and the command `immy`: Ctrl-C while Python still reads our modules is no traceback."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code, whatever became of the standard streams."""
    try:
        from immy_nornir.cli import streams

        streams.open_all()
        from immy_nornir.cli.main import run

        code = streams.settle(run())
    except KeyboardInterrupt:
        sys.stderr.write("immy: stopped\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
