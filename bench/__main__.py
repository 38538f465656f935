"""`python -m bench [NAME...]`: run benchmarks and print their tables; nothing here asserts a time."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import BenchError
from bench.table import Settings

NAMES = ("detection", "cpu", "reboots", "scale", "recording", "waiting", "watching", "budgets")


def main() -> int:
    """All benchmarks, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="smaller fleets, one run each")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts (default: 3)")
    given = parser.parse_args()
    unknown = set(given.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    code = 0
    for name in given.names or NAMES:
        with tempfile.TemporaryDirectory(prefix=f"immy-bench-{name}-") as folder:
            began = time.monotonic()
            try:
                table = importlib.import_module(f"bench.{name}").run(
                    Settings(Path(folder), given.quick, 1 if given.quick else given.runs)
                )
            except (BenchError, AssertionError) as error:
                print(f"### {name}: failed\n\n{error}\n", flush=True)
                code = 1
                continue
            print(f"{table}\n({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
