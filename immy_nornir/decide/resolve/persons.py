"""Names of accounts, as computers and people write them: whether two are one person's, and which are nobody's; pure.

`DOMAIN\\user`, `user@domain` and a bare `user` may be one account. Where that cannot be told, who asks says which
way to err: work is never done as somebody else, and an operator is never taken for the person whose computer it is.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Final

from immy_nornir.model.values import Value

VARIABLE: Final = "immy_primary_user"
NOT_PRIMARY: Final = "immy_not_primary"

_SERVICES: Final = frozenset(
    {
        "system", "local service", "network service", "trustedinstaller", "anonymous logon",
        "root", "nobody", "daemon", "gdm", "gdm-greeter", "gnome-initial-setup", "lightdm", "sddm", "xdm",
        "_mbsetupuser", "loginwindow", "guest", "defaultaccount", "defaultuser0", "defaultuser100000",
        "wdagutilityaccount", "wsiaccount",
    }
)  # fmt: skip
"""Accounts of systems, of their first minutes and their logon screens; no person sits there."""
_ADMINISTRATORS: Final = frozenset(
    {
        "administrator", "administrateur", "administrador", "administratör", "rendszergazda",
        "järjestelmänvalvoja", "администратор", "amministratore", "administrátor",
    }
)  # fmt: skip
"""The account that Windows makes itself, in the languages that it is translated to."""
_DOMAINS: Final = (
    "nt authority", "nt-autorität", "autorite nt", "nt service", "nt virtual machine", "window manager",
    "font driver host", "iis apppool", "builtin",
)  # fmt: skip
_SESSIONS: Final = (
    "dwm-*", "umfd-*", "s-1-5-18", "s-1-5-19", "s-1-5-20", "s-1-5-80-*", "s-1-5-83-*", "s-1-5-90-*", "s-1-5-96-*",
    "s-1-5-21-*-500",
)  # fmt: skip
"""Accounts by their form; the numbers are those of services, desktops and the built-in administrator."""


def parts(name: str) -> tuple[str, str]:
    """An account's own name and its domain, folded; the domain is empty where none is told, or only `.` is."""
    text = name.strip().casefold()
    if "\\" in text:
        domain, _, user = text.partition("\\")
        return user, "" if domain == "." else domain
    user, at, domain = text.rpartition("@")
    return (user, domain) if at else (text, "")


def is_same(said: str, found: str) -> bool:
    """Whether the account that somebody wrote is the one that a computer names; False wherever it cannot be told.

    A bare name is that of any domain, and `user@example.com` is `EXAMPLE\\user`.
    """
    (user, its), (other, whose) = parts(said), parts(found)
    if not user or user != other:
        return False
    if not its or not whose or its == whose:
        return True
    if ("." in its) == ("." in whose):
        return False
    long, short = (its, whose) if "." in its else (whose, its)
    return long.partition(".")[0] == short


def may_be_same(one: str, other: str) -> bool:
    """Whether two names may be one account's: False only where their domains, in one form, differ."""
    (user, its), (another, whose) = parts(one), parts(other)
    if not user or user != another:
        return False
    return not its or not whose or its == whose or ("." in its) != ("." in whose)


def is_service(name: str) -> bool:
    """Whether an account is no person's: of a service, of a machine (`NAME$`), or the built-in administrator."""
    user, domain = parts(name)
    if user.endswith("$") or user in _SERVICES or user in _ADMINISTRATORS or domain in _DOMAINS:
        return True
    return any(fnmatch.fnmatchcase(user, one) for one in _SESSIONS)


def is_listed(name: str, patterns: Iterable[str]) -> str:
    """The first pattern that an account matches, with its domain or without; empty: none does."""
    user, _ = parts(name)
    text = name.strip().casefold()
    return next(
        (one for one in patterns if any(fnmatch.fnmatchcase(form, one.strip().casefold()) for form in (text, user))), ""
    )


def problem(name: str, value: Value) -> str:
    """What is wrong with `immy_primary_user` or `immy_not_primary`; empty when nothing is."""
    if name == VARIABLE:
        return "" if value is None or isinstance(value, str) else f"{VARIABLE} is no name of a user"
    texts = value if isinstance(value, list | tuple) else [] if value is None else [value]
    fine = all(isinstance(one, str) and one.strip() for one in texts)
    return "" if fine else f"{NOT_PRIMARY} is no list of names, such as [adm-*]"
