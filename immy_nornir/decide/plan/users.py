"""As whom work in user context runs: who is logged on + the option `user_context` -> a user, or why none; pure.

The current user is the one person who is there: a locked or disconnected session is nobody's who could see what is
done, and of several none is taken at a guess. The primary user may be locked or disconnected, but is there. Not here:
whose computer it is (decide.resolve.primary_user); who is asked before a reboot (decide.steps.holding.asking).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from immy_nornir.decide.resolve.persons import is_same
from immy_nornir.decide.resolve.primary_user import PrimaryUser
from immy_nornir.model.facts import Identity, Logon, LogonState
from immy_nornir.model.playbooks import Absent, Options, UserContext

NOBODY: Final = PrimaryUser(None, "nobody has asked", known=False)

_THERE = (LogonState.ACTIVE, LogonState.UNKNOWN)


def logons_of(identity: Identity) -> tuple[Logon, ...]:
    """Who is logged on; of records from before states were told, how is not known."""
    return identity.logons or tuple(Logon(name) for name in identity.users)


def present(identity: Identity) -> tuple[Logon, ...]:
    """Who is there, by an unlocked session: those with a desktop, where anybody has one."""
    there = [one for one in logons_of(identity) if one.state in _THERE]
    return tuple([one for one in there if one.desktop] or there)


def user_for(options: Options, identity: Identity, primary: PrimaryUser) -> str:
    """As whom an action in user context runs; empty: as nobody."""
    match options.user_context:
        case UserContext.CURRENT_USER:
            there = present(identity)
            return there[0].name if len(there) == 1 else ""
        case UserContext.PRIMARY_USER:
            found = _accounts(primary.name or "", logons_of(identity))
            return found[0] if len(found) == 1 else ""
        case UserContext.SKIP:
            return ""


def _accounts(name: str, logons: Sequence[Logon]) -> list[str]:
    """Those who are logged on and whom a name means: the one account of just this name, else all that it may be."""
    exact = [one.name for one in logons if one.name.casefold() == name.casefold()]
    return exact[:1] or [one.name for one in logons if is_same(name, one.name)]


def is_there(name: str, logons: Sequence[Logon]) -> bool:
    """Whether the person is logged on, and nobody else is whom the name could mean."""
    return len(_accounts(name, logons)) == 1


def awaited(options: Options, primary: PrimaryUser) -> str:
    """The primary user as whom work runs, whenever that one logs on; empty where nobody is waited for."""
    waits = options.user_context is UserContext.PRIMARY_USER and options.primary_user_absent is Absent.WAIT
    return primary.name or "" if waits else ""


def no_user(options: Options, identity: Identity, primary: PrimaryUser) -> str:
    """Why there is nobody as whom it could run."""
    match options.user_context:
        case UserContext.SKIP:
            return "it runs as a user, and the option user_context is skip"
        case UserContext.PRIMARY_USER if not primary.name:
            return f"it runs as the primary user, and none is known (immy_primary_user sets one): {primary.why}"
        case UserContext.PRIMARY_USER:
            found = _accounts(primary.name or "", logons_of(identity))
            if len(found) > 1:
                return f"it runs as the primary user {primary.name}, which may be {' or '.join(found)}"
            return f"it runs as the primary user {primary.name}, who is not logged on"
        case UserContext.CURRENT_USER:
            there = present(identity)
            if len(there) > 1:
                names = ", ".join(sorted(one.name for one in there))
                return f"it runs as the current user, and several are there: {names}"
            if logons := logons_of(identity):
                told = ", ".join(f"{one.name} ({one.state})" for one in logons)
                return f"it runs as the current user, and nobody is there: {told}"
            return "it runs as the current user, and nobody is logged on"
