"""The one way from this program to its terminal: strangers' text is shown with visible escapes, errors without secrets.

What computers said was cleaned of secrets when it was heard (session.hearing), and ids are never masked; so lines are
only made visible here, and errors, whose texts come from anywhere, are masked too. Reports have a door of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from immy_nornir.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immy_nornir.text.redaction.redact import Redactor

_HIDDEN_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_known: list[Redactor] = []


def known_secrets() -> Redactor:
    """The secrets that this process knows; made when it comes to know any."""
    from immy_nornir.text.redaction.redact import Redactor

    if not _known:
        _known.append(Redactor())
    return _known[0]


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Say a line, or several, on standard output or error."""
    click.echo(visible(str(text), lines=True), err=err, nl=nl)


def say_in_colours(parts: Sequence[tuple[str, str]]) -> None:
    """Say one line on standard output; each part has a colour, or none."""
    shown = (click.style(visible(text), fg=colour) if colour else visible(text) for text, colour in parts)
    click.echo("".join(shown))


def say_error(text: str) -> None:
    """Say what went wrong, on standard error, without secrets."""
    say(_known[0].clean(text) if _known else text, err=True)


def say_json(text: str) -> None:
    """Say a JSON document; hidden characters in its texts as JSON escapes, which programs read as what they were."""
    click.echo(_HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
