"""A session's state, folded from the entries of its record; pure.

Nothing of a session lives anywhere else: a resumed session folds the same entries and goes on from the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from immy_nornir.decide.steps.ends.outcomes import immediate
from immy_nornir.decide.steps.under_way import (
    NOTHING_ASKED,
    ActionState,
    Job,
    Questions,
    RebootState,
    after_reboot,
    fold_question,
    sends_nothing,
    taken_back,
)
from immy_nornir.model.copies import replace
from immy_nornir.model.facts import Boot, Facts, Finding, Identity
from immy_nornir.model.items import DEFAULT_EXIT_CODES, ExitMeaning, Item, RebootNeed
from immy_nornir.model.plan import Desire, Outlook, Plan
from immy_nornir.model.playbooks import Reboot, Stage
from immy_nornir.model.record.entries import (
    CANCEL,
    SUPERSEDE,
    ActionEnded,
    ApprovalDenied,
    ApprovalGiven,
    ApprovedAction,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Determined,
    FactsCollected,
    Finished,
    Interrupted,
    JobEnded,
    JobIntended,
    JobSeen,
    JobWithdrawn,
    Noted,
    NotReady,
    Outdated,
    PendingFound,
    Planned,
    ReadyLooked,
    RebootAsked,
    RebootEnded,
    RebootInherited,
    RebootIntended,
    Refused,
    Resolved,
    Resumed,
    RetryLater,
    StageFailed,
    Stamped,
    StopAsked,
    TimeOver,
    Verified,
    Waiting,
    WindowClosed,
)
from immy_nornir.model.record.order_entries import (
    CancelAsked,
    JobStopAsked,
    OrderEntry,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Purpose, SessionSpec, WaitKind
from immy_nornir.model.values import Json

_OWN_WAITS = (WaitKind.JOB, WaitKind.REBOOT, WaitKind.RETRY)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next step depends on."""

    spec: SessionSpec
    definitions: Mapping[str, Item] = field(default_factory=dict)
    entries: int = 0
    epoch: int = 0
    identity: Identity | None = None
    lost: ContactLost | None = None
    lost_at: float = 0.0
    losses: int = 0
    done: frozenset[Stage] = frozenset()
    desires: tuple[Desire, ...] = ()
    facts: Facts = field(default_factory=Facts)
    unknown: tuple[str, ...] = ()
    """Facts that could not be found out, each with its reason."""
    seen: Mapping[str, Json] = field(default_factory=dict)
    """The facts that resolution read."""
    findings: Mapping[str, Finding] = field(default_factory=dict)
    detected_at: float = 0.0
    """When everything was detected last."""
    plan: Plan | None = None
    outlook: Outlook | None = None
    """How long the plan may take, where that is known."""
    actions: Mapping[str, ActionState] = field(default_factory=dict)
    job: Job | None = None
    """The job under way: one at a time."""
    left: tuple[Job, ...] = ()
    """Jobs that may be at work on the computer still, though their actions have ended."""
    reboot: RebootState | None = None
    reboots: int = 0
    phase: int = 0
    """Actual phase: counts the boots that this session saw, those that it did not ask for included."""
    pending: tuple[str, ...] = ()
    """Pending-reboot sources that the computer names now."""
    pending_after_reboot: tuple[str, ...] = ()
    """Those that were there right after the last reboot: another would not clear them."""
    owed: bool = False
    """Something done since the last reboot needs one."""
    inherited: Boot | None = None
    """The boot to which an earlier session, whose place this one takes, owed a reboot."""
    acted: bool = False
    """Something was done since the last reboot."""
    approved: frozenset[ApprovedAction] = frozenset()
    """What somebody said that it may do; only looked at where somebody is asked."""
    approved_reboots: bool = False
    asked: bool = False
    """Somebody was to be asked: no `--yes` of its run covers what it plans."""
    denied: str = ""
    """Why nothing else is done than what was approved before; empty until somebody says no."""
    stop: StopAsked | None = None
    orders: frozenset[int] = frozenset()
    """The orders of other shells that it has taken in."""
    cancel: CancelAsked | None = None
    """The last order to stop it."""
    pause: PauseAsked | None = None
    """The order that holds it."""
    paused_at: float = 0.0
    """When, for the process that is at it: none stays for what was paused before it came."""
    reboot_order: RebootOrdered | None = None
    """An order to reboot that nothing was done for yet."""
    questions: Questions = NOTHING_ASKED
    """What people on the computer were asked."""
    failure: StageFailed | Refused | None = None
    reboot_failure: str = ""
    resumed_at: float = 0.0
    """When somebody took it up last."""
    readiness_at: float = 0.0
    """When it was last looked at whether the computer is ready."""
    unready_since: float = 0.0
    """Since when it waits for its computer to be ready."""
    unready: str = ""
    """That its computer was not ready until the deadline."""
    closed: str = ""
    """That nothing new begins any more: its window is over, or its computer is held; empty until that is found."""
    closed_by: OutcomeReason = OutcomeReason.WINDOW
    over: str = ""
    """That the session, or its run, has taken as long as it may; empty until something finds it so."""
    ends: tuple[EndReason, ...] = ()
    """What kept anything new from beginning, in the order in which it was found."""
    at: float = 0.0
    """When its last entry was written."""
    spent: float = 0.0
    """The seconds that it has run until then."""
    verified: Verified | None = None
    waiting: Waiting | None = None
    interrupted: Interrupted | None = None
    finished: Finished | None = None

    @property
    def running(self) -> bool:
        """Whether the time that passes now is running time: a process is at it, and nothing but its own work waits."""
        begun = self.epoch > 0 and self.interrupted is None and self.finished is None and self.lost is None
        return begun and (self.waiting is None or self.waiting.kind in _OWN_WAITS)

    @property
    def current(self) -> str:
        """The action whose job is under way, of several the first that has no end yet; empty when there is none."""
        return "" if self.job is None else next(iter(self.open_actions(self.job)), "")

    def open_actions(self, job: Job) -> list[str]:
        """The actions that a job serves and whose end, or next attempt, it has not come to yet."""
        return [name for name in job.actions if (one := self.actions[name]).ended is None and one.retry_at is None]

    def serves(self, action_id: str) -> bool:
        """Whether the job under way is this action's."""
        return self.job is not None and action_id in self.job.actions


_GIVEN_UP = (OutcomeReason.TIME_OVER, OutcomeReason.DEADLINE, OutcomeReason.IN_DOUBT)
_STAY_PARKED = (Waiting, Noted, CancelAsked, PauseAsked, RebootOrdered)
"""Entries after which a session that waits still does, until it is called."""


def fold_all(spec: SessionSpec, definitions: Mapping[str, Item], entries: Iterable[Stamped]) -> State:
    """The state after all entries of a record."""
    state = State(spec, definitions)
    for stamped in entries:
        state = fold(state, stamped)
    return state


def fold(state: State, stamped: Stamped) -> State:
    """The state after one more entry."""
    entry = stamped.entry
    waiting = state.waiting if isinstance(entry, _STAY_PARKED) else None
    # Until a process takes it up nobody knows how long the one before was at it.
    passed = max(0.0, stamped.at - state.at) if state.running and not isinstance(entry, Resumed) else 0.0
    state = replace(state, entries=stamped.seq, waiting=waiting, at=stamped.at, spent=state.spent + passed)
    state = _fold(state, stamped)
    job = state.job
    return state if job is None or job.sent or sends_nothing(entry) else _with_job(state, replace(job, sent=True))


def _fold(state: State, stamped: Stamped) -> State:  # noqa: C901, PLR0915 - one case for each kind of entry, nothing else
    at = stamped.at
    match stamped.entry:
        case Resumed(epoch=epoch, after=after, anew=anew):
            again = replace(state, epoch=epoch, interrupted=None, losses=0, lost=None, lost_at=0.0, paused_at=0.0)
            again = replace(again, resumed_at=at)
            if anew:
                ends = tuple(one for one in again.ends if one is not EndReason.NOT_APPROVED)
                again = replace(again, approved=frozenset(), approved_reboots=False, asked=False, denied="", ends=ends)
            return _outdated(again) if after else again
        case Connected(identity):
            return replace(
                _known(state, identity),
                pending=identity.pending_reboots,
                done=state.done | {Stage.CONNECT},
            )
        case ContactBack(identity):
            return replace(_known(state, identity), pending=identity.pending_reboots)
        case Refused() as refused:
            return replace(state, failure=refused)
        case ContactLost() as lost:
            first = at if state.lost is None else state.lost_at
            return replace(state, lost=lost, lost_at=first, losses=state.losses + 1)
        case Resolved(desires, facts):
            return replace(state, desires=desires, seen=facts, done=state.done | {Stage.RESOLVE})
        case FactsCollected(facts, problems):
            merged = Facts({**state.facts.values, **facts.values}, {**state.facts.collected_at, **facts.collected_at})
            return replace(state, facts=merged, unknown=problems, done=state.done | {Stage.INVENTORY})
        case Detected(findings):
            found = {_id(one): one for one in findings}
            return replace(state, findings=found, detected_at=at, readiness_at=at, done=state.done | {Stage.DETECT})
        case ReadyLooked(findings):
            return replace(state, findings={**state.findings, **{_id(one): one for one in findings}}, readiness_at=at)
        case NotReady(message):
            return _ending(replace(state, unready=message), EndReason.PREFLIGHT)
        case Planned(plan, outlook):
            return replace(_planned(state, plan), outlook=outlook)
        case Outdated():
            return _outdated(state)
        case WindowClosed(message, why):
            by = EndReason.HELD if why is OutcomeReason.HELD else EndReason.WINDOW
            return _ending(replace(state, closed=message, closed_by=why), by)
        case TimeOver(message):
            return _ending(replace(state, over=message), EndReason.TIME_OVER)
        case RebootInherited(boot=boot):
            return replace(state, inherited=boot)
        case ApprovalGiven(_, actions, reboots):
            approved = state.approved.union(actions)
            return replace(state, approved=approved, approved_reboots=state.approved_reboots or reboots)
        case ApprovalDenied(why):
            return _ending(replace(state, denied=why), EndReason.NOT_APPROVED)
        case StageFailed() as failed:
            return replace(state, failure=failed)
        case Determined(action):
            return _with_action(state, action.id, plan=action, looked_at=at)
        case JobIntended() as intended:
            return _job_intended(state, intended, at)
        case JobSeen() as seen:
            job = _under_way(state, seen.job_id)
            began = {name: replace(state.actions[name], ran=True) for name in job.actions}
            state = replace(state, actions={**state.actions, **began})
            return _with_job(state, replace(job, seen=True, seen_at=job.seen_at or at, offset=seen.offset))
        case JobEnded() as over:
            return _job_ended(state, over)
        case JobWithdrawn() as gone:
            return _withdrawn(state, gone)
        case RetryLater() as later:
            return _released(_with_action(state, later.action_id, retry_at=later.at))
        case ActionEnded() as ended:
            return _action_ended(state, ended)
        case RebootIntended() as reboot:
            coming = RebootState(reboot.number, reboot.why, reboot.boot, at, reboot.by_itself, asked_at=at)
            return replace(state, reboot=coming)
        case RebootAsked():
            asked = None if state.reboot is None else replace(state.reboot, asked=True, asked_at=at)
            return replace(state, reboot=asked)
        case RebootEnded(identity=identity, message=message):
            return _rebooted(state, identity, message)
        case PendingFound(names):
            return replace(state, pending=names)
        case Waiting() as waiting:
            asks = state.asked or waiting.kind is WaitKind.APPROVAL
            since = state.unready_since or (at if waiting.kind is WaitKind.PREFLIGHT else 0.0)
            return replace(state, waiting=waiting, interrupted=None, asked=asks, unready_since=since)
        case Verified() as verified:
            return replace(state, verified=verified, done=state.done | {Stage.EXECUTE, Stage.VERIFY})
        case StopAsked() as stop:
            return replace(state, stop=stop)
        case CancelAsked() | PauseAsked() | PauseLifted() | RebootOrdered() as order:
            return _ordered(state, order, at)
        case JobStopAsked(job_id):
            return _with_job(state, replace(_under_way(state, job_id), stop_asked=True))
        case Noted():
            return state
        case Interrupted() as interrupted:
            return replace(state, interrupted=interrupted)
        case Finished() as finished:
            return replace(state, finished=finished, done=frozenset(Stage))
        case asked:  # all that is left: of people
            return replace(state, questions=fold_question(state.questions, asked, at))


def _ordered(state: State, entry: OrderEntry, at: float) -> State:
    taken = state.orders if entry.ordered is None else state.orders | {entry.ordered.order}
    state = replace(state, orders=taken)
    match entry:
        case CancelAsked(ordered):
            superseded = state.stop is not None and state.stop.kind == SUPERSEDE
            stop = state.stop if superseded else StopAsked(CANCEL, f"cancelled by {ordered}")
            return replace(state, cancel=entry, stop=stop, pause=None, reboot_order=None)
        case PauseAsked():
            return replace(state, pause=entry, paused_at=at)
        case PauseLifted():
            return replace(state, pause=None)
        case RebootOrdered():
            return replace(state, reboot_order=entry)
        case _ as never:
            assert_never(never)


def _ending(state: State, why: EndReason) -> State:
    return state if why in state.ends else replace(state, ends=(*state.ends, why))


def did_anything(state: State) -> bool:
    """Whether a job of any action was intended."""
    return any(one.attempt for one in state.actions.values())


def reported_zone(state: State) -> object:
    """The zone that the computer says it stands in, once it was spoken to."""
    return None if state.identity is None else state.identity.system.get("time_zone")


def preflights(state: State) -> tuple[Desire, ...]:
    """What has to be so before anything begins on the computer."""
    return tuple(one for one in state.desires if one.preflight and not one.not_applicable)


def may_plan_again(state: State) -> bool:
    """Whether there is a plan by which something further may begin: only then is detecting again of use."""
    over = state.stop is not None or state.failure is not None or Stage.VERIFY in state.done
    return state.plan is not None and not over


def _outdated(state: State) -> State:
    return replace(state, done=state.done - {Stage.DETECT, Stage.PLAN}) if may_plan_again(state) else state


def _planned(state: State, plan: Plan) -> State:
    """The actions of a plan; of those that something was done for already, what became of them stays."""
    kept = {name: one for name, one in state.actions.items() if one.attempt}
    new = {one.id: ActionState(one, ended=immediate(one, state.findings.get(one.id))) for one in plan.actions}
    return replace(state, plan=plan, actions={**new, **kept}, done=state.done | {Stage.PLAN})


def _id(finding: Finding) -> str:
    return f"{finding.item}#{finding.instance}" if finding.instance else finding.item


def meaning_of(state: State, one: ActionState) -> ExitMeaning:
    """What the jobs of an action mean for its item: the last exit code, and a reboot that an earlier one needs."""
    if one.result is None or one.result.exit_code is None:
        return ExitMeaning.FAILED
    item = state.definitions.get(one.plan.definition)
    codes = DEFAULT_EXIT_CODES if item is None else item.exit_codes
    meaning = codes.get(one.result.exit_code, ExitMeaning.FAILED)
    if (one.reboot_due and meaning is ExitMeaning.SUCCESS) or (one.stayed and meaning is ExitMeaning.HARD_REBOOT):
        return ExitMeaning.SOFT_REBOOT
    return meaning


def _known(state: State, identity: Identity) -> State:
    """The computer answered; in another boot than before, nothing is owed to the old one any more."""
    answered = replace(state, identity=identity, lost=None, lost_at=0.0, losses=0)
    if state.identity is None or not state.identity.boot.differs(identity.boot):
        return answered
    return replace(
        answered,
        phase=state.phase + 1,
        pending_after_reboot=identity.pending_reboots,
        owed=False,
        acted=False,
        reboot_order=None,
        questions=after_reboot(state.questions),
        actions={key: replace(one, reboot_due=False) for key, one in state.actions.items()},
    )


def _with_action(state: State, action_id: str, **changes: object) -> State:
    changed = replace(state.actions[action_id], **changes)  # type: ignore[arg-type]  # callers name fields of ActionState
    return replace(state, actions={**state.actions, action_id: changed})


def _under_way(state: State, job_id: str) -> Job:
    """The job under way, which must be the named one, where one is named."""
    if state.job is None or job_id not in ("", state.job.id):
        raise ValueError(f"the record speaks of a job {job_id} that is not under way")
    return state.job


def _with_job(state: State, job: Job) -> State:
    """The state with what is known of a job now, for the actions that it serves too."""
    served = {name: replace(state.actions[name], job=job) for name in job.actions}
    return replace(state, job=job, actions={**state.actions, **served})


def _job_intended(state: State, intended: JobIntended, at: float) -> State:
    job = Job(intended.job_id, intended.purpose, intended.actions, intended.step, intended.boot, at)
    begun = {
        name: replace(
            state.actions[name],
            attempt=intended.attempt,
            retry_at=None,
            stayed=False,
            began_at=state.actions[name].began_at or at,
            phase=state.phase,
            pending=state.pending,
        )
        for name in intended.actions
    }
    acted = state.acted or intended.purpose is Purpose.ACT
    return _with_job(replace(state, actions={**state.actions, **begun}, acted=acted), job)


def _withdrawn(state: State, gone: JobWithdrawn) -> State:
    back = {name: taken_back(state.actions[name]) for name in _under_way(state, gone.job_id).actions}
    actions = {**state.actions, **back}
    acted = state.acted and any(one.attempt and one.phase == state.phase for one in actions.values())
    return replace(state, job=None, actions=actions, acted=acted)


def _job_ended(state: State, over: JobEnded) -> State:
    before = _under_way(state, over.job_id)
    job = replace(before, seen=True, over=True, result=over.result)
    changed = _with_job(state, job)
    for name in job.actions:
        one = changed.actions[name]
        soft = meaning_of(changed, one) is ExitMeaning.SOFT_REBOOT and not rebooted_since(changed, one)
        doubts = one.doubts + (1 if over.result is None else 0)
        ran = one.ran or before.seen or not over.unknown
        changed = _with_action(changed, name, doubts=doubts, reboot_due=one.reboot_due or soft, ran=ran)
    return changed


def looked_at(state: State, one: ActionState) -> float:
    """When an action's item was detected last."""
    return max(state.detected_at, one.looked_at)


def rebooted_since(state: State, one: ActionState) -> bool:
    """Whether the computer has started anew since the action's last job was intended."""
    return state.identity is not None and one.job is not None and one.job.boot.differs(state.identity.boot)


def _left_pending(state: State, one: ActionState) -> bool:
    """Whether an action that reboots if needed left a pending reboot that was not there before."""
    if one.plan.reboot is not RebootNeed.IF_NEEDED or not one.attempt:
        return False
    return bool(set(state.pending) - set(one.pending) - set(state.spec.options.ignore_pending_reboots))


def _action_ended(state: State, ended: ActionEnded) -> State:
    one = state.actions[ended.action_id]
    # A result that was left before the computer started anew is followed by its reboot already.
    served = one.result is not None and rebooted_since(state, one)
    due = (ended.reboot_owed or one.reboot_due or _left_pending(state, one)) and not served
    later = ended.reason is OutcomeReason.REBOOT_PENDING and state.spec.options.reboot is not Reboot.SKIP
    changed = _with_action(state, ended.action_id, ended=ended, reboot_due=due, postponed=later)
    findings = changed.findings
    if ended.finding is not None:
        findings = {**findings, ended.action_id: ended.finding}
    owed = state.owed or (due and ended.outcome in (Outcome.SUCCESS, Outcome.FAILED))
    return _left(_released(replace(changed, findings=findings, owed=owed)), state.job, ended)


def _left(state: State, job: Job | None, ended: ActionEnded) -> State:
    """An action that was given up on may have left its job at work."""
    gone = job is not None and state.job is None and ended.reason in _GIVEN_UP
    if job is None or not gone or job.over or not job.sent:
        return state
    return replace(state, left=(*state.left, replace(job, left_at=state.at)))


def _released(state: State) -> State:
    """No job is under way any more once it has come to its end for all the actions that it serves."""
    job = state.job
    return replace(state, job=None) if job is not None and job.actions and not state.open_actions(job) else state


def _rebooted(state: State, identity: Identity | None, message: str) -> State:
    if identity is None:
        return replace(
            state, reboot=None, reboot_order=None, reboot_failure=message or "the computer did not come back"
        )
    coming = state.reboot
    if coming is not None and not coming.boot.differs(identity.boot):
        return _not_rebooted(state)
    known = _known(replace(state, identity=None), identity)
    return replace(
        known,
        reboot=None,
        reboots=state.reboots + 1,
        phase=state.phase + 1,
        pending=identity.pending_reboots,
        pending_after_reboot=identity.pending_reboots,
        owed=False,
        acted=False,
        reboot_order=None,
        questions=after_reboot(state.questions),
        actions={key: replace(one, reboot_due=False) for key, one in state.actions.items()},
    )


def _not_rebooted(state: State) -> State:
    """A reboot that was announced or intended, and is not waited for any longer: what asked for it still owes it."""
    announced = state.job.actions if state.job is not None else ()
    for name in announced:
        state = _with_action(state, name, reboot_due=True, stayed=True)
    return replace(state, reboot=None)
