"""Names that are made from other names; pure."""

from __future__ import annotations

import hashlib
import re


def job_id(session_id: str, action_id: str, attempt: int, step: int) -> str:
    """`session/action/attempt[.step]` of letters, digits, `.`, `_`, `-`, `/`; different inputs give different ids."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", action_id)
    if plain != action_id.replace("/", "-"):
        plain += "-" + hashlib.sha256(action_id.encode()).hexdigest()[:8]
    tail = f"{attempt}.{step}" if step else str(attempt)
    return f"{session_id}/{plain}/{tail}"
