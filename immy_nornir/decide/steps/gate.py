"""May this begin now? One question for everything that acts on a computer, asked at one place of `next_step`; pure.

Whatever else is to hold effects back (leases, approvals, limits, preflights) belongs in `may_begin` and nowhere else.
Not here: which effect would be next (decide.steps.execution, decide.steps.reboots).
"""

from __future__ import annotations

from dataclasses import dataclass

from immy_nornir.decide.steps import orders, room, times
from immy_nornir.decide.steps.holding import approval, asking, preflight
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.reboots import SELF_REBOOT_PATIENCE_SECONDS, look_for_boot, no_reboot
from immy_nornir.decide.steps.state import State, did_anything, may_plan_again
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.decide.steps.under_way import FORGOTTEN_SECONDS, ActionState, RebootState
from immy_nornir.model.playbooks import OnFailure
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    ActionEnded,
    Interrupted,
    JobIntended,
    JobWithdrawn,
    Outdated,
    RebootEnded,
    RebootIntended,
    WindowClosed,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason


@dataclass(frozen=True, slots=True)
class Begin:
    """An action begins: it is determined, or the intent of its first job is written."""

    action_id: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """A later job of an action that is begun."""

    action_id: str


@dataclass(frozen=True, slots=True)
class Create:
    """A job that was intended is created on the computer, unless it is there."""

    action_id: str


@dataclass(frozen=True, slots=True)
class Reboot:
    """A reboot is intended; `asked` when the computer is asked for it."""

    asked: bool


Effect = Begin | GoOn | Create | Reboot


def effect_of(state: State, step: Step) -> Effect | None:
    """What a step would begin on the computer; None for what only looks, waits, or writes down what is so."""
    match step:
        case Note(JobIntended(actions=actions, step=number)):
            return GoOn(actions[0]) if number and state.actions[actions[0]].step < number else Begin(actions[0])
        case Note(RebootIntended(by_itself=False)):
            return Reboot(asked=False)
        case Perform(Do.DETERMINE, action_id):
            return Begin(action_id)
        case Perform(Do.START_JOB, action_id):
            return Create(action_id)
        case Perform(Do.ASK_REBOOT):
            return Reboot(asked=True)
        case _:
            return None


def may_begin(state: State, effect: Effect, moment: Moment, why: str = "") -> Step | None:
    """None when it may; else what is to be done instead: a wait, a note that ends it, a look whether it is there.

    A job that was never asked for needs no look: it is taken back, and its action begins anew, or ends, as all others.
    `why` is told to people who are asked about a reboot.
    """
    instead = _instead(state, effect, moment, why)
    if instead is None or not isinstance(effect, Create):
        return instead
    return withdrawal(state, "it was held back before the computer was asked for it") or instead


def withdrawal(state: State, why: str) -> Note | None:
    """How the job under way is taken back; None where there is none, or it may have been asked for."""
    job = state.job
    return Note(JobWithdrawn(job.id, why)) if job is not None and job.unsent else None


def _instead(state: State, effect: Effect, moment: Moment, why: str) -> Step | None:
    instead = _held(state, effect, moment)
    if instead is None or isinstance(instead, Wait):
        instead = _paused(state, effect, moment) or instead
    if instead is None and moment.frozen:
        if isinstance(effect, Begin) and times.at_once_or_never(state.spec):
            return Note(WindowClosed(moment.frozen, OutcomeReason.HELD))
        return Note(Interrupted(f"{moment.frozen}; stopped{left_open(state)}"))
    instead = instead or _outdated(state, effect, moment)
    if instead is None and (isinstance(effect, Begin) or effect == Reboot(asked=False)):
        instead = preflight.held(state, moment)
    # Nobody is there to be asked any more when a window opens: it is asked before. Nor is it of use to look again, at
    # whatever it is, while somebody thinks: what he says yes to is looked at before it begins.
    if instead is None or isinstance(instead, Wait) or _looks(instead):
        instead = _unapproved(state, effect, moment) or instead
    if instead is None and effect == Reboot(asked=False):
        instead = asking.held(state, moment, why)
    return _no_room(state, effect, moment) if instead is None else instead


def _looks(step: Step) -> bool:
    return step == Perform(Do.LOOK_READY) or (isinstance(step, Note) and isinstance(step.entry, Outdated))


def _no_room(state: State, effect: Effect, moment: Moment) -> Step | None:
    """What limits want first: last of all, for nobody has a slot who waits for something else."""
    match effect:
        case Begin(action_id) | GoOn(action_id):
            return room.for_action(state, moment.room, action_id)
        case Reboot() if state.reboot is None or not state.reboot.by_itself:
            return room.for_reboot(moment.room)
        case _:
            return None


def _paused(state: State, effect: Effect, moment: Moment) -> Step | None:
    """What a pause makes of an effect: what has begun is brought to its end, and is not left half done."""
    match effect:
        case GoOn() | Create():
            return None
        case Reboot(asked=True) if state.reboot is not None and not state.reboot.by_itself:
            if isinstance(orders.paused(state, moment), Wait) and state.identity is not None:
                return Note(RebootEnded(state.reboot.number, state.identity, "paused before it was asked for"))
            return None
        case Reboot(asked=True):
            return None
        case _:
            return orders.paused(state, moment)


def _unapproved(state: State, effect: Effect, moment: Moment) -> Step | None:
    """What is done about an effect that nobody has approved; None about one that may be."""
    match effect:
        case Begin(action_id):
            one = state.actions[action_id]
            if approval.may_do(state, one, moment):
                return None
            if state.denied:
                return Note(ActionEnded(action_id, Outcome.SKIPPED, OutcomeReason.NOT_APPROVED, state.denied))
        case Reboot(asked=False):
            if approval.may_reboot(state, moment) or state.reboot_order is not None:
                return None  # whoever orders a reboot approves it
        case _:
            return None
    if state.stop is not None or state.over:  # what always runs after it, not approved: nobody is asked about the past
        left = next(one.plan.id for one in state.actions.values() if one.ended is None)
        return Note(ActionEnded(left, Outcome.SKIPPED, OutcomeReason.NOT_APPROVED, approval.NOBODY))
    return approval.wait(state, moment)


def _outdated(state: State, effect: Effect, moment: Moment) -> Step | None:
    """What begins long after its detection is detected again first: the computer may be another by now."""
    begins = isinstance(effect, Begin) or effect == Reboot(asked=False)
    hours = (moment.now - state.detected_at) / 3600
    if not begins or not state.detected_at or hours <= state.spec.options.detection_valid_hours:
        return None
    if state.job is not None or not may_plan_again(state):
        return None
    return Note(Outdated(f"detected {hours:.1f} hours ago: detected and planned again first"))


def _held(state: State, effect: Effect, moment: Moment) -> Step | None:
    match effect:
        case Begin(action_id):
            return _action(state, state.actions[action_id], moment)
        case GoOn(action_id):
            # A later job is of the old definition: what the first ones left is looked at, and recorded.
            over = bool(state.over) and not state.actions[action_id].plan.always
            return Perform(Do.VERIFY_ACTION, action_id) if superseded(state) or over else None
        case Create(action_id):
            return _job(state, state.actions[action_id], moment)
        case Reboot(asked) if asked and state.reboot is not None:
            return _asking(state, state.reboot, moment)
        case Reboot():
            if state.failure is not None:  # what always runs after a failure runs in this boot or not at all
                wants = next(one.plan.id for one in state.actions.values() if one.ended is None)
                return Note(ActionEnded(wants, Outcome.SKIPPED, OutcomeReason.STOPPED, state.failure.message))
            return hours(state, moment)


def hours(state: State, moment: Moment) -> Step | None:
    """What keeps a reboot waiting: holds, and the window and the business hours, unless ordered in spite of these."""
    if orders.waits_for_nothing(state):
        return times.hold(state, moment)
    held = times.window(state, moment)
    if held is not None or asking.by_user(state) or not asking.agreed(state):
        return held  # who is there may say that it may be in business hours, too
    return times.business_hours(state, moment.now)


def superseded(state: State) -> bool:
    """Whether another session, of other files perhaps, takes this one's place."""
    return state.stop is not None and state.stop.kind == SUPERSEDE


def halted(state: State) -> tuple[Outcome, OutcomeReason, str] | None:
    """Why no further ordinary action may begin."""
    if state.stop is not None:
        return Outcome.CANCELLED, OutcomeReason.CANCELLED, state.stop.message
    if state.reboot_failure:
        return Outcome.SKIPPED, OutcomeReason.REBOOT_FAILED, state.reboot_failure
    for end in state.ends:  # the first that came is why
        match end:
            case EndReason.HELD:
                return Outcome.SKIPPED, OutcomeReason.HELD, state.closed
            case EndReason.WINDOW:
                return Outcome.SKIPPED, OutcomeReason.WINDOW, "its window closed before it was done"
            case EndReason.TIME_OVER:
                return Outcome.SKIPPED, OutcomeReason.TIME_OVER, state.over
            case EndReason.PREFLIGHT:
                return Outcome.SKIPPED, OutcomeReason.PREFLIGHT, state.unready
    if state.spec.options.on_failure is OnFailure.STOP:
        for one in state.actions.values():
            if one.ended is not None and one.ended.outcome is Outcome.FAILED:
                return Outcome.SKIPPED, OutcomeReason.STOPPED, f"stopped after {one.plan.id} failed"
    return None


def _action(state: State, one: ActionState, moment: Moment) -> Step | None:
    end = halted(state)
    never = state.closed or state.unready
    if end is not None and (not one.plan.always or never or (superseded(state) and not did_anything(state))):
        return Note(ActionEnded(one.plan.id, *end))
    held = times.window(state, moment)
    goes_on = end is None and state.failure is None
    if held is None and (goes_on or preflight.ready(state, moment)):
        return None
    if state.failure is not None:
        return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, OutcomeReason.STOPPED, state.failure.message))
    if end is not None and not did_anything(state):  # nothing began that it would have to follow
        return Note(ActionEnded(one.plan.id, *end))
    return held


def _job(state: State, one: ActionState, moment: Moment) -> Step | None:
    """A job whose session may have been away since its intent: what is held back now may be there all the same.

    A later step of what is begun always may. Otherwise its computer is only asked for it, and one that does not know it
    is looked at again in its time.
    """
    if one.step and not superseded(state):
        return None
    intended_at = 0.0 if one.job is None else one.job.intended_at
    fresh = moment.now - intended_at < FORGOTTEN_SECONDS
    free = times.window(state, moment) is None and not isinstance(orders.paused(state, moment), Wait)
    # Whoever goes on with what another run intended asks as if it began now.
    allowed = approval.may_do(state, one, moment) and preflight.held(state, moment) is None
    if fresh and (state.stop is None or one.plan.always) and free and allowed:
        return None
    return Perform(Do.POLL_JOB, one.plan.id)


def _asking(state: State, reboot: RebootState, moment: Moment) -> Step | None:
    held = hours(state, moment)  # the intent may be of last night
    if not reboot.by_itself:
        if isinstance(held, Note) and isinstance(held.entry, WindowClosed) and state.identity is not None:
            return Note(RebootEnded(reboot.number, state.identity, f"not asked for: {held.entry.message}"))
        return held
    held = held or orders.paused(state, moment)
    if held is None and no_reboot(state) is None and approval.may_reboot(state, moment):
        return None
    if state.identity is not None and moment.contact.checked_at - reboot.asked_at >= SELF_REBOOT_PATIENCE_SECONDS:
        return Note(RebootEnded(reboot.number, state.identity, "it did not reboot by itself"))
    return look_for_boot(reboot, moment)


def left_open(state: State, step: Step | None = None) -> str:
    """What a stop leaves open, as the end of a sentence; `step` would have been the next, where that is known."""
    if state.job is not None:
        what = state.current or state.job.id
        if state.job.over:
            return f" before the result of {what} was looked at"
        known = f"; the job of {what} goes on on the computer"
        return known if state.job.seen else f"; whether the job of {what} was begun is not known yet"
    if isinstance(step, Wait):
        return f" while waiting for {step.about}"
    if state.waiting is not None:
        return f" while waiting for {state.waiting.about}"
    return " before it began" if state.entries <= 1 else " between two steps"
