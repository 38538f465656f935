"""Our own variables (`immy_*`) as they are meant: templates expanded, yes and no in any of Ansible's words; pure.

`lint` says what cannot be read; here a brake that cannot be read holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text import templates
from immy_nornir.text.filters import TRUE_WORDS
from immy_nornir.text.plain import plain

NO: Final = frozenset(("false", "no", "off", "0", "n", "f", "none", ""))
PINS: Final = ("uuid", "uuid_source", "name", "domain")
"""What `immy_identity` may pin."""


def own(variables: Mapping[str, Value], name: str) -> Value:
    """A variable with its templates expanded; None where there is none. Raises TemplateError."""
    value = variables.get(name)
    return None if value is None else templates.expand(value, variables)


def flag(variables: Mapping[str, Value], name: str, unreadable: bool) -> bool:  # noqa: FBT001 - the caller's word for it
    """Yes or no, in the words that Ansible takes for it; `unreadable` where it is none of them."""
    try:
        read = yes_or_no(own(variables, name))
    except ImmyError:
        read = None
    return unreadable if read is None else read


def is_excluded(variables: Mapping[str, Value]) -> bool:
    """Whether maintenance leaves the computer alone."""
    return flag(variables, "immy_excluded", True)


def is_onboarding(variables: Mapping[str, Value]) -> bool:
    """Whether the computer is being brought in."""
    return flag(variables, "immy_onboarding", False)


def yes_or_no(value: Value) -> bool | None:
    """What a value says; None where it says neither."""
    word = str(value).strip().lower()
    return True if word in TRUE_WORDS else False if word in NO else None


def pins(value: Value) -> dict[str, str]:
    """What `immy_identity` pins: a uuid, or a map of PINS."""
    if isinstance(value, str):
        return {"uuid": value}
    if isinstance(value, Mapping):
        return {name: str(value[name]) for name in PINS if value.get(name) is not None}
    return {}


def problem_of(name: str, value: Value) -> str:
    """What is wrong with an own variable as it stands in a file; empty when nothing is, or only a session can tell."""
    if isinstance(value, SecretRef) or (isinstance(value, str) and templates.is_template(value)):
        return ""
    match name:
        case "immy_excluded" | "immy_onboarding":
            return "" if yes_or_no(value) is not None else f"{name} is neither yes nor no: '{plain(value)}'"
        case "immy_identity" if isinstance(value, Mapping):
            unknown = [key for key in value if key not in PINS]
            return f"immy_identity knows no {', '.join(map(repr, unknown))}" if unknown else ""
        case "immy_identity":
            return "" if isinstance(value, str) else "immy_identity is neither a uuid nor a map"
        case "immy_tags":
            texts = value if isinstance(value, list | tuple) else [value]
            return "" if all(isinstance(one, str) for one in texts) else "immy_tags is no list of words"
        case _:
            return ""
