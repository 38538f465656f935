"""Whom a channel is told of: all tenants in one message, or some, each apart; pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from immy_nornir.model.control.telling import Channel

ALL = ""


def tenants_for(channel: Channel, tenants: Sequence[str]) -> list[str]:
    """The scopes of a channel's messages about something of these tenants: ALL, or each tenant that it is told of."""
    if not channel.tenants:
        return [ALL]
    return [name for name in tenants if any(fnmatch.fnmatchcase(name, glob) for glob in channel.tenants)]


def matches(tenant: str, scope: str) -> bool:
    """Whether something of a tenant belongs to a scope."""
    return scope in (ALL, tenant)
