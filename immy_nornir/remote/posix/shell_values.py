"""Values that cross the border of a POSIX shell: parameters as environment variables, output as a script's result.

Pure. `connection` and `jobs` use it; it knows no operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from immy_nornir.model.values import Json
from immy_nornir.remote.posix.program import LONGEST_VARIABLE
from immy_nornir.text import json

DEEPEST = 32


def variables(params: Mapping[str, Json]) -> dict[str, str]:
    """Parameters as `IMMY_<NAME>`: text as it is, numbers and booleans as JSON, null empty, lists and maps as JSON.

    Raises ValueError for what no environment can hold: a NUL, more than 120 kB, two names that become one.
    """
    made: dict[str, str] = {}
    for name, value in params.items():
        variable = "IMMY_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())
        if variable in made:
            raise ValueError(f"two parameters become the variable {variable}")
        text = _text(value)
        if "\0" in text:
            raise ValueError(f"the parameter {name} holds a NUL, which no variable can")
        if len(text.encode("utf-8", "surrogateescape")) > LONGEST_VARIABLE:
            raise ValueError(f"the parameter {name} is longer than {LONGEST_VARIABLE} bytes")
        made[variable] = text
    return made


def _text(value: Json) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.line(value, ascii=False)


def result_of(text: str) -> Json:
    """What a script printed, as its result: JSON if it is JSON, else text without its last newline; nothing is null.

    A lone number that JSON would change stays text: `1.10` is a version, not 1.1. Raises ValueError for a document
    that is too deep.
    """
    found, value = parsed(text)
    if found:
        return value
    return text.removesuffix("\n").removesuffix("\r") or None


def parsed(text: str) -> tuple[bool, Json]:
    """Whether the text is plain JSON, and its value; raises ValueError when it is deeper than 32."""
    try:
        value: Json = json.parse_strict(text)
    except RecursionError as error:
        raise ValueError(f"the result is deeper than {DEEPEST}") from error
    except ValueError:
        return False, None
    if isinstance(value, float) and repr(value) != text.strip():
        return False, None
    if _depth(value) > DEEPEST:
        raise ValueError(f"the result is deeper than {DEEPEST}")
    return True, value


def _depth(value: Json) -> int:
    deepest, todo = 0, [(value, 0)]
    while todo:
        one, depth = todo.pop()
        deepest = max(deepest, depth)
        if depth > DEEPEST:
            break
        if isinstance(one, dict):
            todo += [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, list):
            todo += [(inner, depth + 1) for inner in one]
    return deepest
