"""Whether a computer is ready for the first effect of a session, and how long that is waited for; pure.

A preflight is a task that is only looked at, together with everything else. Before the first effect, a pending reboot
included, each has to say yes; unknown is no. A no is looked at again and again until the deadline. What has begun is
not held back any more; what was only intended has not.
"""

from __future__ import annotations

from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State, preflights
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.model.facts import FindingStatus
from immy_nornir.model.playbooks import Preflight
from immy_nornir.model.record.entries import NotReady
from immy_nornir.model.record.session import WaitKind

FRESH_SECONDS = 180.0
"""A yes that is older is asked for again right before the first effect."""
_TOLD = 3


def unready(state: State) -> tuple[str, ...]:
    """Why the computer is not ready, as it was seen last: each preflight that does not say yes, with its reason."""
    said = []
    for desire in preflights(state):
        finding = state.findings.get(desire.id)
        why = desire.error or desire.unknown
        if not why and finding is None:
            why = "not looked at"
        if finding is not None and not why:
            if finding.status is FindingStatus.COMPLIANT:
                continue
            changes = "; ".join(f"{one.name} is {one.before}" for one in finding.changes[:_TOLD])
            unknown = finding.status is not FindingStatus.NOT_COMPLIANT
            why = finding.message or changes or ("" if finding.value is None else str(finding.value))
            why = f"not known: {why}" if unknown else why
        said.append(f"{desire.id}{f' ({why})' if why else ''}")
    return tuple(said)


def about(missing: tuple[str, ...]) -> str:
    """What is waited for, for people."""
    return f"the computer to be ready: {', '.join(missing[:_TOLD])}"


def ready(state: State, moment: Moment) -> bool:
    """Whether nothing of this keeps an effect back now: the yes is there and fresh, or is not asked for."""
    begun = any(one.ran for one in state.actions.values()) or state.reboots > 0
    if begun or state.spec.options.preflight is Preflight.OFF or not preflights(state):
        return True
    return not unready(state) and 0 <= moment.now - _looked_at(state, moment) <= FRESH_SECONDS


def _looked_at(state: State, moment: Moment) -> float:
    """When it was last looked, by a clock that may have been set back: what was found as before is no entry."""
    looks = (state.readiness_at, moment.contact.ready_at)
    return max((one for one in looks if 0 < one <= moment.now), default=float("-inf"))


def held(state: State, moment: Moment) -> Step | None:
    """What comes before the first effect: a look, a wait, or the end of waiting; None when it may begin."""
    options, now = state.spec.options, moment.now
    if state.stop is not None or state.failure is not None or state.unready or ready(state, moment):
        return None
    looked, missing = _looked_at(state, moment), unready(state)
    if not missing:
        return Perform(Do.LOOK_READY)
    end = state.unready_since + options.preflight_hours * 3600 if state.unready_since else float("inf")
    if looked >= end:
        return Note(NotReady(f"not ready within {options.preflight_hours:g} hours: {', '.join(missing[:_TOLD])}"))
    again = min(looked + options.preflight_minutes * 60, end)
    own = bool(moment.contact.ready_at) or state.resumed_at <= looked
    if own and looked > 0 and now < again:  # whoever takes it up looks for himself
        return Wait(WaitKind.PREFLIGHT, again, about(missing), deferred=True)
    return Perform(Do.LOOK_READY)
