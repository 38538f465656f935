"""What a session may do of what it plans: what somebody has approved, and what is still to be asked for; pure.

Approved is a set: actions with their type and version, and whether the computer may reboot. What a later detection
adds to it is asked for again. Held back by the gate (decide.steps.gate); who is asked is session.approving.approvals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from immy_nornir.decide.steps import reboots
from immy_nornir.decide.steps.moment import Approver, Moment
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Wait
from immy_nornir.decide.steps.under_way import ActionState
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.plan import PlannedAction
from immy_nornir.model.playbooks import ActionType, Reboot
from immy_nornir.model.record.entries import ApprovedAction
from immy_nornir.model.record.session import WaitKind

NOBODY = "nobody has approved it"
LOOK_AGAIN_SECONDS = 3600.0
"""Whoever answers wakes the session; this only bounds how long it sleeps."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session would do beyond what was approved."""

    actions: tuple[ApprovedAction, ...] = ()
    reboots: bool = False
    """The computer will reboot, or may: an installer can ask for it."""

    def __bool__(self) -> bool:
        return bool(self.actions) or self.reboots

    def __str__(self) -> str:
        number = len(self.actions)
        parts = [f"{number} action{'' if number == 1 else 's'}"] if number else []
        return " and ".join([*parts, *(["a reboot"] if self.reboots else [])]) or "nothing"


def wanted(state: State) -> Wanted:
    """What a session would do beyond what was approved, by its plan as it is now."""
    left = (one for one in state.actions.values() if one.ended is None and not is_approved(state, one))
    return Wanted(tuple(_named(one.plan) for one in left), not state.approved_reboots and may_come(state))


def asked(state: State) -> Wanted:
    """What a session that waits for approval asks for: never nothing."""
    return wanted(state) or Wanted((), True)


def promised(state: State) -> Wanted:
    """What was approved and has not begun yet."""
    left = (one for one in state.actions.values() if one.ended is None and not one.attempt and is_approved(state, one))
    return Wanted(tuple(_named(one.plan) for one in left), state.approved_reboots and not state.reboots)


def anything(state: State) -> bool:
    """Whether anything was approved."""
    return bool(state.approved) or state.approved_reboots


def is_approved(state: State, one: ActionState) -> bool:
    """Whether an action was approved, as it is planned now or before it could be told what it would be.

    Whoever typed a command was asked before it was sent.
    """
    if state.spec.by_hand is not None:
        return True
    open_ = ApprovedAction(one.plan.id, ActionType.UNDETERMINED)
    return _named(one.plan) in state.approved or open_ in state.approved


def may_do(state: State, one: ActionState, moment: Moment) -> bool:
    """Whether nothing has to be asked before an action begins; what somebody has said no to has."""
    return is_approved(state, one) or (moment.approver is Approver.NOT_NEEDED and not state.denied)


def may_reboot(state: State, moment: Moment) -> bool:
    """Whether nothing has to be asked before the computer reboots."""
    return state.approved_reboots or moment.approver is Approver.NOT_NEEDED


def may_come(state: State) -> bool:
    """Whether a reboot is planned, or cannot be ruled out."""
    if not reboots.may_reboot(state) or reboots.capped(state):
        return False
    planned = state.plan is not None and state.plan.reboots > state.reboots
    due = planned or state.spec.options.reboot is Reboot.FORCE or reboots.owes(state)
    owed = any(one.reboot_due for one in state.actions.values())
    pending = bool(reboots.counting(state)) and _does(state)
    return due or owed or pending or any(_may_ask(one) for one in _open(state))


def wait(state: State, moment: Moment) -> Wait:
    """Park until somebody has answered; where nobody can be asked, no run stays for it."""
    until, wants = moment.now + LOOK_AGAIN_SECONDS, asked(state)
    if moment.approver is Approver.BRAKES:
        return Wait(WaitKind.BRAKES, until, f"the brakes of its run to let {wants} through")
    return Wait(WaitKind.APPROVAL, until, f"somebody to approve {wants}", moment.approver is Approver.ABSENT)


def _open(state: State) -> Iterable[PlannedAction]:
    return (one.plan for one in state.actions.values() if one.ended is None)


def _does(state: State) -> bool:
    return state.acted or any(_open(state))


def _may_ask(action: PlannedAction) -> bool:
    return action.reboot is not RebootNeed.NEVER


def _named(action: PlannedAction) -> ApprovedAction:
    # What is undetermined may become any version.
    version = "" if action.type is ActionType.UNDETERMINED else action.version or ""
    return ApprovedAction(action.id, action.type, version)
