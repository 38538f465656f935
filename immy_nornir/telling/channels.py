"""One message -> one channel, by apprise or a command; how that went. Raises nothing, takes no longer than it may."""

from __future__ import annotations

import importlib.util
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.children import Fed, feed
from immy_nornir.errors import ImmyError
from immy_nornir.telling.apprise_program import NO_URL, NOT_DELIVERED, NOT_INSTALLED
from immy_nornir.text import json
from immy_nornir.text.visible import visible

if TYPE_CHECKING:
    from immy_nornir.model.control.telling import Channel, Message
    from immy_nornir.model.protocols import Secrets

INSTALL = "pip install 'immy-nornir[telling]'"
"""What brings apprise."""
MISSING = f"apprise is not installed: {INSTALL}"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went."""

    told: bool
    said: str
    """Why it failed."""
    slow: bool = False
    """It took all of its time."""
    stopped: bool = False
    """Somebody stopped it: it counts as no try."""


def has_apprise() -> bool:
    """Whether apprise can be imported; it is not."""
    return importlib.util.find_spec("apprise") is not None


def tell(
    channel: Channel, message: Message, secrets: Secrets, folder: Path, stopped: threading.Event | None = None
) -> Outcome:
    """Hand a message to a channel. What went wrong is told as it was said: the caller takes secrets out of it."""
    try:
        fed = _by_apprise(channel, message, secrets, folder, stopped) if channel.apprise is not None else None
        if fed is None:
            more = {name: secrets.reveal(one) for name, one in channel.environment.items()}
            data = f"{message.body}\n".encode("utf-8", "replace")
            fed = feed(channel.command, data, channel.seconds, folder, more, stopped)
    except ImmyError as error:
        return Outcome(False, str(error))
    if fed.code is None:
        halted = stopped is not None and stopped.is_set()
        return Outcome(False, f"no answer in {channel.seconds:g} s", slow=True, stopped=halted)
    if fed.code == 0:
        return Outcome(True, "")
    return Outcome(False, _of_apprise(fed) if channel.apprise is not None else _of_command(fed))


def _by_apprise(
    channel: Channel, message: Message, secrets: Secrets, folder: Path, stopped: threading.Event | None
) -> Fed:
    if channel.apprise is None:
        raise ImmyError("it has no URL")
    url = secrets.reveal(channel.apprise)
    found = {"url": url, "title": message.title, "text": message.text, "mood": mood_of(message.event)}
    # Without the current folder among its modules: a fleet may have a file of any name.
    words = [sys.executable, "-P", "-m", "immy_nornir.telling.apprise_program"]
    return feed(words, json.line(found).encode(), channel.seconds, folder, _of_tls(), stopped)


def _of_tls() -> dict[str, str]:
    """Where this machine says that its certificates are."""
    import os

    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return {name: os.environ[name] for name in names if name in os.environ}


def mood_of(event: str) -> str:
    """Whether an event is good or bad news, for services that have colours."""
    if event.endswith(("failed", "halted", "opened", "unanswered")):
        return "bad"
    return "good" if event.endswith(("resolved", "promoted")) else ""


def _of_apprise(fed: Fed) -> str:
    match fed.code:
        case _ if fed.code == NOT_INSTALLED:
            return MISSING
        case _ if fed.code == NO_URL:
            return "its secret is no URL that apprise knows; https://appriseit.com lists them"
        case _ if fed.code == NOT_DELIVERED:
            answer = f": the other side answered {fed.said}" if fed.said else ": the other side refused it or is away"
            return f"apprise could not deliver it{answer}"
    return f"apprise ended with a fault of its own (exit code {fed.code})"


def _of_command(fed: Fed) -> str:
    lines = [line for line in fed.said.splitlines() if line.strip()]
    said = f": {visible(lines[-1].strip())[:_LONGEST]}" if lines else ""
    return f"exit code {fed.code}{said}"
