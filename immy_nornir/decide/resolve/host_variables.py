"""Our own variables (`immy_*`) as they are meant: templates expanded, yes and no in any of Ansible's words; pure.

`lint` says what cannot be read; here a brake that cannot be read holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immy_nornir.decide import asking_texts, holds
from immy_nornir.decide.resolve import persons
from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.model.words import ADVICE, NEITHER, yes_or_no
from immy_nornir.text import templates
from immy_nornir.text.plain import plain

BRAKE: Final = "immy_excluded"
FLAGS: Final = (BRAKE, "immy_onboarding", "immy_allow_plain_basic", "immy_allow_local_reboot")
"""Our own variables that say yes or no."""
PINS: Final = ("uuid", "uuid_source", "name", "domain")
"""What `immy_identity` may pin."""


def own(variables: Mapping[str, Value], name: str) -> Value:
    """A variable with its templates expanded; None where there is none. Raises TemplateError."""
    value = variables.get(name)
    return None if value is None else templates.expand(value, variables)


def is_excluded(variables: Mapping[str, Value]) -> bool:
    """Whether maintenance leaves the computer alone; it does where that cannot be read."""
    try:
        value = own(variables, BRAKE)
    except ImmyError:
        return True
    return value is not None and yes_or_no(value) is not False


def is_onboarding(variables: Mapping[str, Value]) -> bool:
    """Whether the computer is being brought in. Raises ImmyError for what is neither yes nor no."""
    value = own(variables, "immy_onboarding")
    read = False if value is None else yes_or_no(value)
    if read is None:
        raise ImmyError(f"'{value}' {NEITHER}", ADVICE)
    return read


def pins(value: Value) -> dict[str, str]:
    """What `immy_identity` pins: a uuid, or a map of PINS."""
    if isinstance(value, str):
        return {"uuid": value}
    if isinstance(value, Mapping):
        return {name: str(value[name]) for name in PINS if value.get(name) is not None}
    return {}


def _wrong_hold(value: Value) -> str:
    texts = value.values() if isinstance(value, Mapping) else ()
    if holds.says_nothing(value) or any(isinstance(one, str) and templates.is_template(one) for one in texts):
        return ""
    try:
        holds.read_hold(value)
    except ImmyError as error:
        return error.message
    return ""


def _wrong_texts(value: Value) -> str:
    try:
        asking_texts.texts_of(value)
    except ValueError as error:
        return f"immy_prompt_texts: {error}"
    return ""


def problem_of(name: str, value: Value) -> str:
    """What is wrong with an own variable as it stands in a file; empty when nothing is, or only a session can tell."""
    if isinstance(value, SecretRef) or (isinstance(value, str) and templates.is_template(value)):
        return ""
    match name:
        case _ if name in FLAGS:
            return "" if value is None or yes_or_no(value) is not None else f"{name} {NEITHER}: '{plain(value)}'"
        case "immy_identity" if isinstance(value, Mapping):
            unknown = [key for key in value if key not in PINS]
            return f"immy_identity knows no {', '.join(map(repr, unknown))}" if unknown else ""
        case "immy_identity":
            return "" if isinstance(value, str) else "immy_identity is neither a uuid nor a map"
        case "immy_hold":
            return _wrong_hold(value)
        case "immy_prompt_texts":
            return _wrong_texts(value)
        case persons.VARIABLE | persons.NOT_PRIMARY:
            return persons.problem(name, value)
        case "immy_tags":
            texts = value if isinstance(value, list | tuple) else [value]
            return "" if all(isinstance(one, str) for one in texts) else "immy_tags is no list of words"
        case _:
            return ""
