"""`-e`: variables of the command line, over all others: NAME=VALUE (several, split by spaces), YAML, JSON, @FILE.

As Ansible takes them, but that NAME=VALUE keeps words without `=` in the value before. Not here: what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError

if TYPE_CHECKING:
    from immy_nornir.model.places import Place
    from immy_nornir.model.values import Value

_NAME = re.compile(r"[A-Za-z_]\w*=(?!=)")
_ADVICE = "write NAME=VALUE, '{\"NAME\": VALUE}' or @FILE"
_QUOTES = ("'", '"')


def given_variables(texts: Sequence[str]) -> dict[str, Value]:
    """All variables; the last of a name holds, and `secret: env:NAME` is a reference, as in files.

    What looks like a secret is refused as a value on the command line, which is seen by everybody; from a file it
    becomes a reference. A yes-or-no variable of immy's own that says neither is refused, nearly known names are told.
    Raises UsageError.
    """
    from immy_nornir.fleet.checks.names import misspelled
    from immy_nornir.fleet.given import LINE, from_file, from_text

    found: dict[str, Value] = {}
    places: Mapping[str, Place]
    for text in texts:
        if text.startswith("@"):
            given, places, told = from_file(Path(text[1:]).expanduser())
        elif text.lstrip()[:1] in ("{", "["):
            given, places, told = from_text(text)
        else:
            given, places, told = _pairs(text), {}, []
        for problem in told:
            say(str(problem), err=True)
        for name, value in given.items():
            place = str(places.get(name, LINE))
            _refuse_unreadable(name, value, place)
            near = misspelled(name)
            if near:
                say(f"{place}: warning: nobody reads a variable '{name}'; {near}", err=True)
        found.update(given)
    return found


def _refuse_unreadable(name: str, value: Value, place: str) -> None:
    from immy_nornir.decide.resolve.host_variables import problem_of

    wrong = problem_of(name, value)
    if wrong:
        raise UsageError(f"{place}: {wrong}", "a variable of the command line stands over all others")


def _pairs(text: str) -> dict[str, Value]:
    from immy_nornir.fleet.given import refuse_clear
    from immy_nornir.model.values import SecretRef
    from immy_nornir.text.references import SCHEMES, NoReferenceError, reference_of

    found: dict[str, Value] = {}
    for name, value in _split(text):
        reference = re.fullmatch(r"\{?\s*secret:\s*[\"']?((?:env|file|command|keyring):.+?)[\"']?\s*\}?", value.strip())
        if reference is not None:
            try:
                found[name] = SecretRef(reference_of(reference[1]))
            except NoReferenceError as error:
                raise UsageError(f"the value of '{name}' {error}", SCHEMES) from None
            continue
        plain = _unquoted(value)
        refuse_clear(name, plain)
        found[name] = plain
    return found


def _split(text: str) -> list[tuple[str, str]]:
    """Names with their texts; a new one begins after a blank outside of quotes and templates."""
    starts = [0]
    quote, depth = "", 0
    for at, character in enumerate(text):
        before = text[at - 1] if at else " "
        if quote:
            quote = "" if character == quote and before != "\\" else quote
        elif character in _QUOTES and (before in "=" or before.isspace()) and not depth:
            quote = character
        elif text[at : at + 2] in ("{{", "{%", "{#"):
            depth += 1
        elif text[at : at + 2] in ("}}", "%}", "#}"):
            depth = max(0, depth - 1)
        elif before.isspace() and not depth and at and _NAME.match(text, at):
            starts.append(at)
    if quote:
        raise UsageError("a quote of -e is not closed", _ADVICE)
    parts = [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    found = []
    for part in parts:
        name, sign, value = part.partition("=")
        if not sign or not re.fullmatch(r"[^\s'\"{}\[\]]+", name):
            # The text itself is not shown: it may be a secret.
            raise UsageError("what stands after -e is not NAME=VALUE", _ADVICE)
        found.append((name, value))
    return found


def _unquoted(value: str) -> str:
    closed = len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0] and value[-2] != "\\"
    return value[1:-1] if closed else value


def told(text: str) -> str:
    """What a record keeps of one `-e`: names and files, no values."""
    if text.startswith("@"):
        return text
    if text.lstrip()[:1] in ("{", "["):
        return "{...}"
    try:
        return " ".join(f"{name}=..." for name, _ in _split(text))
    except UsageError:
        return "..."


def without_values(words: Sequence[str]) -> list[str]:
    """A command line for the record: values of variables are left out, somebody may have put a secret there."""
    kept: list[str] = []
    is_value = False
    for word in words:
        joined = re.match(r"(-[yqv]*e|--extra-vars=)(.+)", word, re.DOTALL)
        if is_value:
            kept.append(told(word))
        else:
            kept.append(f"{joined[1]}{told(joined[2])}" if joined else word)
        is_value = not is_value and re.fullmatch(r"-[yqv]*e|--extra-vars", word) is not None
    return kept
