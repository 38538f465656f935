"""The file in which the details of a fault of immy's own are kept, for whoever mends it."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from immy_nornir import __version__
from immy_nornir.errors import HistoryError
from immy_nornir.history.own_files import make_folder, open_own

FILE = "bug.log"
_LONGEST = 1_000_000
"""A file that is longer begins anew."""


def keep(folder: Path, clean: Callable[[str], str] = str) -> str:
    """Write the exception that is being handled into the file, and say where it is; `clean` takes secrets out.

    Never raises: a place that cannot be written is said.
    """
    path = folder / FILE
    about = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} immy {__version__}, Python {platform.python_version()}"
    text = clean(f"{about}, {platform.platform()}\n{traceback.format_exc()}\n")
    try:
        make_folder(folder)
        how = os.O_TRUNC if path.exists() and path.stat().st_size > _LONGEST else os.O_APPEND
        with os.fdopen(open_own(path, os.O_WRONLY | how), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except (OSError, HistoryError):
        return f"no details: {path} cannot be written"
    return f"details in {path}"
