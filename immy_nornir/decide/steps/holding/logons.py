"""The wait of an action for its user's logon: work of the primary user is never done as somebody else; pure.

Only where the option `primary_user_absent` is `wait`: others go on meanwhile, then the session waits and its run need
not stay. At the deadline the action is skipped. Until then a computer that does not answer is one at which nobody is
logged on, too.
"""

from __future__ import annotations

from immy_nornir.decide.plan.users import is_there
from immy_nornir.decide.steps import times
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.decide.steps.under_way import ActionState
from immy_nornir.decide.times.time_zones import told
from immy_nornir.model.record.entries import ActionEnded
from immy_nornir.model.record.question_entries import LogonAwaited
from immy_nornir.model.record.session import Outcome, OutcomeReason, WaitKind

FRESH_SECONDS = 60.0
"""Work begins only while the logon was seen so lately."""
LOOK_SECONDS = 300.0
"""How often it is looked who is logged on."""


def awaiting(state: State, now: float) -> bool:
    """Whether a logon is waited for, and nothing is under way on the computer."""
    open_ = any(one.plan.user and one.ended is None for one in state.actions.values())
    return open_ and not state.current and now < state.questions.awaited_until


def hindrance(state: State, one: ActionState, moment: Moment) -> Step | None:
    """What comes before an action whose user may be absent: a look, a wait, its end; None when it may begin."""
    user, asked, now = one.plan.user, state.questions, moment.now
    if not user or state.stop is not None or state.failure is not None:
        return None  # what still runs then waits for nobody
    until = asked.awaited_until
    if asked.looked_at and now - asked.looked_at <= FRESH_SECONDS and asked.looked_at >= state.resumed_at:
        if is_there(user, asked.logons):
            return None
        if not until:
            return Note(LogonAwaited(user, now + state.spec.options.primary_user_hours * 3600.0))
    if until and now >= until and (asked.looked_at >= until or state.lost is not None):
        hours = state.spec.options.primary_user_hours
        why = f"it runs as the primary user {user}, who did not log on within {hours:g} h (primary_user_hours)"
        return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, OutcomeReason.USER_CONTEXT, why))
    again = asked.looked_at + LOOK_SECONDS
    if not until or now >= min(again, until) or asked.looked_at < state.resumed_at:
        return Perform(Do.LOOK_USERS)
    about = f"{user} to log on, until {told(until, times.told_zone(state))}"
    return Wait(WaitKind.LOGON, min(again, until), about, deferred=True)
