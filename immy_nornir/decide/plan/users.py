"""As whom work in user context runs: who is logged on + the option `user_context` -> a user, or why none; pure.

The current user is the one person who is there: a locked or disconnected session is nobody's who could see what is
done, and of several none is taken at a guess. Not here: who is asked before a reboot (decide.steps.holding.asking).
"""

from __future__ import annotations

from immy_nornir.model.facts import Identity, Logon, LogonState
from immy_nornir.model.playbooks import Options, UserContext

_THERE = (LogonState.ACTIVE, LogonState.UNKNOWN)


def logons_of(identity: Identity) -> tuple[Logon, ...]:
    """Who is logged on; of records from before states were told, how is not known."""
    return identity.logons or tuple(Logon(name) for name in identity.users)


def present(identity: Identity) -> tuple[Logon, ...]:
    """Who is there, by an unlocked session: those with a desktop, where anybody has one."""
    there = [one for one in logons_of(identity) if one.state in _THERE]
    return tuple([one for one in there if one.desktop] or there)


def user_for(options: Options, identity: Identity, primary: str) -> str:
    """As whom an action in user context runs; empty: as nobody."""
    match options.user_context:
        case UserContext.CURRENT_USER:
            there = present(identity)
            return there[0].name if len(there) == 1 else ""
        case UserContext.PRIMARY_USER:
            names = (one.name for one in logons_of(identity))
            return next((one for one in names if primary and one.lower() == primary.lower()), "")
        case UserContext.SKIP:
            return ""


def no_user(options: Options, identity: Identity, primary: str) -> str:
    """Why there is nobody as whom it could run."""
    match options.user_context:
        case UserContext.SKIP:
            return "it runs as a user, and the option user_context is skip"
        case UserContext.PRIMARY_USER if not primary:
            return "it runs as the primary user, and none is known (set immy_primary_user)"
        case UserContext.PRIMARY_USER:
            return f"it runs as the primary user {primary}, who is not logged on"
        case UserContext.CURRENT_USER:
            there = present(identity)
            if len(there) > 1:
                names = ", ".join(sorted(one.name for one in there))
                return f"it runs as the current user, and several are there: {names}"
            if logons := logons_of(identity):
                told = ", ".join(f"{one.name} ({one.state})" for one in logons)
                return f"it runs as the current user, and nobody is there: {told}"
            return "it runs as the current user, and nobody is logged on"
