"""A program of its own that hands one message to apprise; JSON on its standard input, its exit code is the answer.

A process, because what lies behind a URL may hang, write, or raise: none of that reaches who started it. The URL comes
by the standard input, never as a word or a variable. What apprise says may hold parts of it, so nothing of that is
told but the number that the other side answered with.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from immy_nornir.text import json

DELIVERED, FAULT, NOT_INSTALLED, NO_URL, NOT_DELIVERED = 0, 1, 3, 4, 5


def main() -> int:
    """Read the message, hand it over; one of the codes above."""
    found = json.parse(os.fdopen(os.dup(0), "rb").read())
    # Nobody's words leave this process but ours.
    ours = os.dup(2)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    try:
        import apprise
    except ImportError:
        return NOT_INSTALLED
    code, answer = _hand_over(apprise, found)
    if answer:
        os.write(ours, answer.encode())
    return code


def _hand_over(apprise: Any, found: Any) -> tuple[int, str]:
    asset = apprise.AppriseAsset(app_id="immy", app_desc="immy", storage_mode="memory", plugin_paths=None)
    receiver = apprise.Apprise(asset=asset)
    if not receiver.add(found["url"]):
        return NO_URL, ""
    kind = {"good": "success", "bad": "failure"}.get(found["mood"], "info")
    with apprise.LogCapture(level=30) as log:
        # Texts are text: what a channel's own form needs, apprise makes of them.
        done = receiver.notify(body=found["text"], title=found["title"], notify_type=kind, body_format="text")
        said = log.getvalue()
    if done:
        return DELIVERED, ""
    answers = re.findall(r"error=(\d{3})\b", said)
    return NOT_DELIVERED, answers[-1] if answers else ""


if __name__ == "__main__":
    sys.exit(main())
