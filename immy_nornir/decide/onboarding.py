"""When the onboarding of a computer has ended: its items have passed, for the machine that it is; pure."""

from __future__ import annotations

from dataclasses import dataclass

from immy_nornir.decide.steps.state import State
from immy_nornir.model.facts import Facts, Identity
from immy_nornir.model.record.session import Outcome

_PASSED = (Outcome.SUCCESS, Outcome.NOTHING)


@dataclass(frozen=True, slots=True)
class Onboarded:
    """That the onboarding of a machine has ended."""

    identity: str
    session: str
    at: float
    """Seconds since 1970."""

    def holds(self, seen: Facts) -> bool:
        """Whether it is of the machine that was seen last; of one that nobody has seen since, too."""
        system = seen.values.get("system")
        if not isinstance(system, dict) or not (system.get("uuid") or system.get("name")):
            return True
        return self.identity == _key(str(system.get("uuid") or ""), str(system.get("name") or ""))


def identity_of(identity: Identity) -> str:
    """By what a machine's onboarding is remembered."""
    return _key(identity.uuid, identity.name)


def _key(uuid: str, name: str) -> str:
    return uuid.lower() or f"name {name.lower()}"


def has_passed(state: State) -> bool:
    """Whether a session that has ended was an onboarding, with all items of it as they should be."""
    spec = state.spec
    if not spec.onboarding or spec.check or spec.items or not spec.type.executes or state.identity is None:
        return False
    items = [one for one in state.desires if one.onboarding and not one.not_applicable]
    ended = [action.ended for one in items if (action := state.actions.get(one.id)) is not None]
    return bool(items) and len(ended) == len(items) and all(one and one.outcome in _PASSED for one in ended)
