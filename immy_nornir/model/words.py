"""Words for yes and no: the one list of them, for variables, conditions, options and files alike.

The words are Ansible's. Not here: what happens to a value that is neither; whoever reads one says it with its place.
"""

from __future__ import annotations

from typing import Final

YES: Final = ("true", "yes", "on", "1", "y", "t")
NO: Final = ("false", "no", "off", "0", "n", "f")
NEITHER: Final = "is neither yes nor no"
ADVICE: Final = "write true or false"


def yes_or_no(value: object) -> bool | None:
    """What a value says, whatever the case of its word; None where it says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in YES else False if word in NO else None
