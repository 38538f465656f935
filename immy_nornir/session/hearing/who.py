"""Whether the computer that answers is the one that is meant; asked before anything else is believed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.model.record.entries import Entry, Refused

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.facts import Identity
    from immy_nornir.session.leg import Leg


def refuse_stranger(state: State, leg: Leg, identity: Identity) -> list[Entry]:
    """The end of a session whose computer is another one than is meant; nothing when it is the one."""
    wrong = identity_mismatch(state.spec.pinned_identity, identity, state.identity)
    if not wrong:
        return []
    leg.close()
    return [Refused("identity", wrong)]
