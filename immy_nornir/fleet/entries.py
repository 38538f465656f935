"""What lies in folders of a fleet and is not read -> a problem that names it, with what to try.

One judgement for all folders: a link that leads nowhere, what is neither file nor folder, another case of an ending.
Not here: which files a folder is read for (`strays`, `inventory`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.shapes.files import YAML_ENDINGS, did_you_mean
from immy_nornir.text.files import why_odd

_NO_NOTE = (".pyc", ".pyo")


def entries(folder: Path, place: Place, problems: list[Problem]) -> Iterator[Path]:
    """What lies in a folder, in name order; one that cannot be listed is a problem."""
    try:
        found = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        advice = "check who may read it"
        problems.append(Problem(place, Level.ERROR, f"cannot be listed: {(error.strerror or '').lower()}", advice))
        return
    yield from found


def unreadable(path: Path, place: Place) -> Problem | None:
    """What keeps anybody from reading it, whatever its name is."""
    wanted = path.suffix.lower() in (*YAML_ENDINGS, ".json", "")
    level = Level.ERROR if wanted else Level.WARNING
    odd = why_odd(path)
    why = f": {odd}" if odd else ""
    if path.is_symlink() and not path.exists():
        message = f"is a link that leads nowhere, to {path.readlink()}{why}"
        return Problem(place, level, message, "correct the link, or remove it")
    if odd:
        return Problem(
            place, level, f"is neither a file nor a folder, and is not read{why}", "write a file, or remove it"
        )
    return None


def other_case(path: Path, place: Place, level: Level, endings: Iterable[str] = YAML_ENDINGS) -> Problem | None:
    """An ending that only looks like one that is read."""
    ending = path.suffix.lower()
    if ending not in endings or path.suffix == ending:
        return None
    message = f"is not read, for its name ends in {path.suffix}"
    return Problem(place, level, message, f"rename it to {path.stem}{ending}")


def unread(path: Path, place: Place, level: Level, message: str, advice: str = "") -> list[Problem]:
    """One problem for a file or folder that nobody reads; what Python compiles for itself is none."""
    return [] if path.suffix in _NO_NOTE else [Problem(place, level, message, advice)]


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice with the nearest of known names, whatever the case."""
    by_lower = {one.lower(): one for one in known}
    return did_you_mean(name.lower(), by_lower, 0.7) if name not in by_lower.values() else ""
