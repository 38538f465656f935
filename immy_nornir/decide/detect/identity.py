"""Whether the computer that answered is the one that is meant; pure.

Customers share 192.168.1.0/24: an address proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from immy_nornir.model.facts import Identity

_FIELDS = ("uuid", "uuid_source", "name", "domain")


def expectation(pinned: Mapping[str, str], before: Identity | None = None) -> dict[str, str]:
    """What a computer must say of itself so that a request to it may go on by itself, without a question to us.

    Stricter than `identity_mismatch`, which judges whatever does not fit to the letter.
    """
    wanted = dict(pinned)
    if before is not None and before.uuid:
        wanted |= {"uuid": before.uuid, "uuid_source": before.uuid_source}
    elif before is not None:
        wanted |= {"name": before.name}
    return {field: wanted[field] for field in _FIELDS if wanted.get(field)}


def identity_mismatch(pinned: Mapping[str, str], found: Identity, before: Identity | None = None) -> str:
    """Why this is another computer; empty when it is the one.

    `pinned` holds what is known of it (`uuid` with `uuid_source`, `name`, `domain`), `before` what the session saw
    first.
    """
    wanted = dict(pinned)
    if before is not None and before.uuid:
        wanted |= {"uuid": before.uuid, "uuid_source": before.uuid_source}
        comparable = found.uuid and before.uuid_source in ("", found.uuid_source)
        if not comparable:  # CIM answers now and then: its name is what is left
            wanted = {"name": before.name, **wanted}
    for field, value in (("uuid", found.uuid), ("name", found.name), ("domain", found.domain)):
        expected = wanted.get(field)
        if not expected or not value:
            continue
        if field == "uuid" and wanted.get("uuid_source") not in (None, "", found.uuid_source):
            continue  # a board's UUID and an installation's GUID cannot be compared
        if expected.strip("{} ").lower() != value.strip("{} ").lower():
            advice = "if it was replaced: immy computers accept, or immy_identity in the inventory"
            return f"this is another computer: its {field} is {value}, expected {expected} ({advice})"
    return ""
