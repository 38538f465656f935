"""On which kind of file system a folder lies, where the operating system tells."""

from __future__ import annotations

import re
from pathlib import Path

_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(folder: Path, table: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that holds a folder, where a table of mounts tells (Linux); else an empty text."""
    try:
        mounts = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    path = str(folder.resolve())
    for line in mounts:
        # Blanks in names are written as \040.
        parts = [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), part) for part in line.split(" ")]
        if (
            len(parts) > 2
            and (path == parts[1] or path.startswith(parts[1].rstrip("/") + "/"))
            and len(parts[1]) >= len(best)
        ):
            best, kind = parts[1], parts[2]
    return kind
