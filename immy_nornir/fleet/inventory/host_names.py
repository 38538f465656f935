"""Names of computers as inventories write them, with ranges and ports -> names; exactly Ansible's rules.

Used by the readers of YAML and INI inventories. What a name may look like is in `decide.resolve.patterns`.
"""

from __future__ import annotations

import re
import string

from immy_nornir.decide.resolve.patterns import split_port

_PLAIN = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$", re.ASCII)


class BadNameError(ValueError):
    """A name or range of computers that cannot be read; the text says why."""


def expand(text: str) -> tuple[list[str], int | None]:
    """The computers that one entry of an inventory means, in order, and their port; raises BadNameError."""
    if _PLAIN.match(text):
        return [text], None
    split = split_port(text)
    name, port = split if split is not None else (text, None)
    return (_expand_ranges(name) if "[" in name else [name]), port


def _expand_ranges(text: str) -> list[str]:
    head, opened, rest = text.partition("[")
    inside, closed, tail = rest.partition("]")
    if not opened or not closed or "|" in text:
        raise BadNameError(f"the range in '{text}' is not closed by ']'")
    result: list[str] = []
    for part in _range(inside, text):
        name = f"{head}{part}{tail}"
        if "[" in name:
            result.extend(_expand_ranges(name))
        else:
            result.append(name)
    return result


def _range(inside: str, whole: str) -> list[str]:
    bounds = inside.split(":")
    if len(bounds) not in (2, 3):
        raise BadNameError(f"the range [{inside}] in '{whole}' is not begin:end or begin:end:step")
    begin, end = bounds[0] or "0", bounds[1]
    if not end:
        raise BadNameError(f"the range [{inside}] in '{whole}' has no end")
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and width != len(end):
        raise BadNameError(f"begin and end of the range [{inside}] in '{whole}' are not equally long")
    try:
        step = int(bounds[2]) if len(bounds) == 3 else 1
        if step < 1:
            raise BadNameError(f"the step of the range [{inside}] in '{whole}' is not above zero")
        first, last = string.ascii_letters.find(begin), string.ascii_letters.find(end)
        if first >= 0 and last >= 0:
            if first > last:
                raise BadNameError(f"the range [{inside}] in '{whole}' ends before it begins")
            return list(string.ascii_letters[first : last + 1 : step])
        return [str(number).zfill(width) for number in range(int(begin), int(end) + 1, step)]
    except BadNameError:
        raise
    except ValueError:
        raise BadNameError(
            f"the range [{inside}] in '{whole}' has bounds that are neither numbers nor letters"
        ) from None
