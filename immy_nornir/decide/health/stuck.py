"""Why a session that is open does not simply work: `causes(session, now) -> what, since, until, next commands`; pure.

Everything is read off the record and the life of its owner; no computer is asked. A session that works has no cause:
one whose job runs within its usual time, whose reboot is young, or that waits for its turn in a run that is at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from immy_nornir.decide.steps.gate import left_open
from immy_nornir.decide.steps.holding import deadlines
from immy_nornir.decide.steps.next_step import LOST_PATIENCE_SECONDS
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.under_way import OVERDUE_SECONDS, Job, RebootState
from immy_nornir.model.control.orders import Order
from immy_nornir.model.playbooks import Offline
from immy_nornir.model.record.entries import JobEnded, JobIntended, JobSeen, StageFailed, Stamped, Waiting
from immy_nornir.model.record.session import EndReason, Status, WaitKind
from immy_nornir.model.record.words import process_of

SILENT_SECONDS = 15 * 60
"""A job that has written nothing for so long is named."""
LONG_REBOOT_SECONDS = 5 * 60
"""A reboot that takes longer is named; updates may take their time all the same."""
QUIET_SECONDS = 30 * 60
"""A process at work that has written nothing into the record for so long, though it waits for nothing, is named."""
NEAR_SECONDS = 10 * 60
"""A deadline in less than this is near, unless a fifth of the whole time is less."""
ORDER_SECONDS = 60
"""An order that its session's owner has not answered for so long is named."""
LAST_LINES = 5
"""Of a silent job's output so many lines are shown."""


class Cause(StrEnum):
    """Why a session is open and does not simply work."""

    DAMAGED = "damaged"
    """Its record cannot be read."""
    DEAD = "dead"
    """The process that was at it is gone."""
    ELSEWHERE = "elsewhere"
    """The process that was at it is of another machine."""
    LEFT = "left"
    """It was interrupted, and nobody has taken it up again."""
    FROZEN = "frozen"
    """It was interrupted, and nothing may be changed now."""
    ORDERED = "ordered"
    """Somebody has ordered something of it, and nobody has obeyed yet."""
    LEASE = "lease"
    """Another session has its computer."""
    AWAY = "away"
    """Its computer does not answer."""
    WINDOW = "window"
    """It waits for a time."""
    TURN = "turn"
    """It waits for an earlier wave of its run."""
    HOLD = "hold"
    """Its computer is held as it is for a time."""
    LOGON = "logon"
    """Its primary user is not logged on."""
    PREFLIGHT = "preflight"
    """Its computer is not ready: a preflight says no."""
    APPROVAL = "approval"
    """Somebody has to say that it may do what it plans."""
    BRAKES = "brakes"
    """The brakes of its run hold it."""
    PROMPT = "prompt"
    """People on its computer are asked, or have put it off."""
    PAUSE = "pause"
    """Somebody has it paused."""
    SLOT = "slot"
    """It waits for room."""
    RETRY = "retry"
    """It tries again later."""
    REBOOT = "reboot"
    """Its computer has not come back from a reboot."""
    SILENT_JOB = "silent_job"
    """The job under way has written nothing for long."""
    DEADLINE = "deadline"
    """A deadline is near, or over."""
    QUIET = "quiet"
    """Its process lives, waits for nothing that is known, and has written nothing for long."""


@dataclass(frozen=True, slots=True)
class Next:
    """A command to type: the words after `immy`, and what it does."""

    words: str
    why: str


@dataclass(frozen=True, slots=True)
class Holding:
    """One cause."""

    cause: Cause
    what: str
    since: float | None = None
    """Seconds since 1970."""
    until: float | None = None
    """When it ends by itself, one way or the other; None: it does not, or nobody knows."""
    needs_somebody: bool = False
    """Whether nothing becomes of the session unless somebody does something: what was asked for, such as a window or
    a computer that is waited for, does not need anybody but who takes up what is due."""
    evidence: tuple[str, ...] = ()
    """Last lines of a job's output."""
    next: tuple[Next, ...] = ()
    advice: str = ""
    """What no command does."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that has not ended, as the history knows it."""

    id: str
    computer: str
    tenant: str = ""
    run_id: str = ""
    status: Status = Status.RUNNING
    """As its row has it, whether or not its owner lives."""
    owner: str = ""
    """The process that is, or was, at it; empty: nobody."""
    alive: bool = False
    """Whether that process lives."""
    damage: str = ""
    """Why its record cannot be read."""
    state: State | None = None
    """Its record, folded; None where it is damaged."""
    entries: Sequence[Stamped] = ()
    holder: str = ""
    """Another session that has its computer, of a process that lives."""
    holder_owner: str = ""
    orders: tuple[Order, ...] = ()
    """Orders that nobody has answered yet."""
    of_schedule: bool = False
    """Whether its run is one of a schedule: a service goes on with it, too, when a process has left it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What causes depend on beside the history."""

    now: float
    machine: str = ""
    """The name of this machine, as owners are called by it."""
    frozen: str = ""
    """Why nothing may be changed now; empty when it may."""
    service: bool = False
    """Whether a service is at work on this history: it takes up what is due."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A session with everything that holds it, what matters most first."""

    session: OpenSession
    causes: tuple[Holding, ...] = field(default=())

    @property
    def needs_somebody(self) -> bool:
        """Whether nothing becomes of it unless somebody does something."""
        return any(one.needs_somebody for one in self.causes)


def stuck(sessions: Iterable[OpenSession], around: Surroundings) -> tuple[list[Stuck], int]:
    """The sessions that do not simply work, those that need somebody first, else in their order; and how many are open.

    Records are let go one by one: thousands may be waiting.
    """
    found, total = [], 0
    for one in sessions:
        total += 1
        if held := tuple(causes(one, around)):
            found.append(Stuck(replace(one, state=None, entries=()), held))
    return sorted(found, key=lambda one: not one.needs_somebody), total


def causes(one: OpenSession, around: Surroundings) -> Iterator[Holding]:
    """Everything that holds a session, what matters most first; nothing where it simply works."""
    state = one.state
    if one.damage or state is None:
        again = Next("sessions resume", "makes its rows again from its entries; what cannot be read ends it as failed")
        yield Holding(
            Cause.DAMAGED, f"its record is damaged: {one.damage or 'it is not there'}", None, None, True, (), (again,)
        )
        return
    if state.finished is not None:
        return
    yield from _ordered(one, around)
    nobody = _nobody(one, state, around)
    if nobody is not None:
        yield nobody
        if nobody.cause is not Cause.LEFT or one.holder:
            yield from _lease(one, state)
        return
    yield from _lease(one, state)
    yield from _waits(one, state, around)
    if state.reboot is not None:
        yield from _reboot(one, state, state.reboot, around)
    elif state.job is not None:
        yield from _job(one, state, state.job, around)
        yield from _time(one, state, around)
    elif _is_quiet(one, state, around):
        last = one.entries[-1].at
        yield Holding(
            Cause.QUIET,
            f"its {process_of(one.owner)} lives and has written nothing",
            last,
            None,
            True,
            (),
            (_log(one), Next(f"sessions cancel {one.id}", "nothing new begins in it")),
        )


def _nobody(one: OpenSession, state: State, around: Surroundings) -> Holding | None:
    """That no process is at the session, though one was."""
    last = one.entries[-1].at if one.entries else state.spec.created_at
    resume = Next(f"sessions resume {one.id}", "asks for its job first, and goes on where it stopped")
    machine = machine_of(one.owner)
    if state.interrupted is not None or one.status is Status.INTERRUPTED:
        told = state.interrupted.message if state.interrupted is not None else "it was left"
        if around.frozen and state.spec.type.executes:
            served = around.service and one.of_schedule
            then = "the service then goes on with it" if served else "then take it up"
            advice = f"remove the file FREEZE when changes are allowed again; {then}"
            return Holding(Cause.FROZEN, f"{told}; {around.frozen}", last, None, not served, (), (resume,), advice)
        if around.service and one.of_schedule:
            told = f"it was left ({told}); the service goes on with it, at most an hour after it was left again"
            return Holding(Cause.LEFT, told, last, None, False, (), (resume,))
        return Holding(Cause.LEFT, f"nobody is at it: {told}", last, None, True, (), (resume,))
    if not one.owner or one.alive:
        return None
    if machine and around.machine and machine != around.machine:
        told = f"the process that was at it is of {machine}, and cannot be seen from {around.machine}"
        there = f"look on {machine} first: its immy may be at work"
        later = Next(resume.words, f"goes on here, if no immy of {machine} is at it any more")
        return Holding(Cause.ELSEWHERE, told, last, None, True, (), (later,), there)
    return Holding(
        Cause.DEAD, f"its {process_of(one.owner)} has died{left_open(state)}", last, None, True, (), (resume,)
    )


def machine_of(owner: str) -> str:
    """The machine of an owner, which is called MACHINE-PID-ID; empty where it is called otherwise."""
    parts = owner.rsplit("-", 2)
    return parts[0] if len(parts) == 3 and parts[1].isdigit() else ""


def _ordered(one: OpenSession, around: Surroundings) -> Iterator[Holding]:
    for order in one.orders:
        if around.now - order.at < ORDER_SECONDS and one.alive:
            continue
        why = f": {order.reason}" if order.reason else ""
        who = "nobody is at the session" if not one.owner or not one.alive else "its process has not come to it yet"
        resume = Next(f"sessions resume {one.id}", "takes it up, and the order is obeyed")
        yield Holding(
            Cause.ORDERED,
            f"{order.kind} was ordered by {order.by}{why}; {who}",
            order.at,
            None,
            not one.alive,
            (),
            (_log(one),) if one.alive else (resume,),
        )


def _lease(one: OpenSession, state: State) -> Iterator[Holding]:
    if one.holder and one.holder != one.id:
        told = f"session {one.holder} is at work on its computer ({one.holder_owner})"
        show = Next(f"sessions show {one.holder}", "shows what that one does")
        after = Next(f"sessions resume {one.id}", "goes on, once that one has ended")
        yield Holding(Cause.LEASE, told, None, None, False, (), (show, after))
    failure = state.failure
    if isinstance(failure, StageFailed) and failure.reason is EndReason.BUSY:
        yield Holding(Cause.LEASE, failure.message, None, None, False, (), (_log(one),))


def _log(one: OpenSession) -> Next:
    return Next(f"sessions log -f {one.id}", "shows what comes")


# --- waits ----------------------------------------------------------------------------------------------------


def _waits(one: OpenSession, state: State, around: Surroundings) -> Iterator[Holding]:
    """What a session waits for that is not its own work."""
    wait = state.waiting
    if wait is None:
        if state.lost is not None and state.reboot is None:
            yield _away(one, state, None)
        return
    since = next((stamped.at for stamped in reversed(one.entries) if isinstance(stamped.entry, Waiting)), None)
    held = _held(one, state, wait, since, around)
    if held is not None:
        yield held


def _held(one: OpenSession, state: State, wait: Waiting, since: float | None, around: Surroundings) -> Holding | None:
    until = wait.until if since is None or wait.until > since else None
    due = Next("sessions resume --due", "goes on with all whose time has come, or whose computer answers")
    cancel = Next(f"sessions cancel {one.id}", "gives it up")
    match wait.kind:
        case WaitKind.JOB | WaitKind.REBOOT:
            return None
        case WaitKind.CONNECTIVITY:
            return _away(one, state, since)
        case WaitKind.WINDOW | WaitKind.TURN if until is None or wait.kind is WaitKind.TURN:
            return Holding(Cause.TURN, wait.about, since, None, False, (), (due, cancel))
        case WaitKind.WINDOW:
            over = until is not None and around.now >= until and not one.owner and not around.service
            told = f"{wait.about}; its time has come, and nobody is at it" if over else f"it waits for {wait.about}"
            return Holding(Cause.WINDOW, told, since, until, over, (), (due, cancel))
        case WaitKind.HOLD:
            lists = Next("freeze --list", "shows what is held, by whom, and until when")
            return Holding(Cause.HOLD, f"its computer is held: {wait.about}", since, until, False, (), (lists, due))
        case WaitKind.PREFLIGHT:
            told = f"its computer is not ready: {wait.about}"
            return Holding(Cause.PREFLIGHT, told, since, until, False, (), (due, cancel))
        case WaitKind.APPROVAL:
            ask = Next(f"sessions resume {one.id}", "shows what it would do, and asks")
            show = Next(f"sessions show {one.id}", "shows its plan")
            return Holding(Cause.APPROVAL, f"it waits for {wait.about}", since, None, True, (), (show, ask))
        case WaitKind.BRAKES:
            show = Next(f"runs show {state.spec.run_id}", "shows how far its run is")
            return Holding(
                Cause.BRAKES, f"it waits for {wait.about}", since, None, not one.owner, (), (show, _log(one))
            )
        case WaitKind.PROMPT:
            show = Next(f"sessions show {one.id}", "shows who was asked, and what was said")
            return Holding(Cause.PROMPT, f"it waits for {wait.about}", since, until, False, (), (show, due, cancel))
        case WaitKind.LOGON:
            show = Next(f"explain {state.spec.computer}", "shows whose computer it is, and why")
            return Holding(Cause.LOGON, f"it waits for {wait.about}", since, until, False, (), (show, due, cancel))
        case WaitKind.PAUSE:
            again = Next(f"sessions resume {one.id}", "lets it go on")
            return Holding(Cause.PAUSE, f"it is paused: {wait.about}", since, until, until is None, (), (again, cancel))
        case WaitKind.SLOT:
            return Holding(Cause.SLOT, f"it waits for room: {wait.about}", since, None, False, (), (_log(one),))
        case WaitKind.RETRY:
            return Holding(Cause.RETRY, f"it tries again later: {wait.about}", since, until, False, (), (_log(one),))


def _away(one: OpenSession, state: State, since: float | None) -> Holding:
    lost = state.lost
    why = f": {lost.message}" if lost is not None else ""
    first = state.lost_at or since
    endless = state.spec.options.offline is Offline.APPLY_ON_CONNECT and state.stop is None
    until = None if endless or first is None else first + LOST_PATIENCE_SECONDS
    look = Next(f"doctor {one.computer}", "looks what is in the way, from the name to the login")
    due = Next("sessions resume --due", "goes on where the computer answers again")
    told = f"its computer does not answer{why}"
    if endless:
        told += "; it is waited for without end (offline: apply_on_connect)"
    commands = (look, due) if endless else (look, _log(one))
    return Holding(Cause.AWAY, told, first, until, False, (), commands)


# --- reboots and jobs -----------------------------------------------------------------------------------------


def _reboot(one: OpenSession, state: State, reboot: RebootState, around: Surroundings) -> Iterator[Holding]:
    since = reboot.asked_at or reboot.intended_at
    whole = state.spec.options.reboot_timeout_minutes * 60.0
    if around.now - since < min(LONG_REBOOT_SECONDS, whole / 2):
        return
    asked = reboot.asked or reboot.by_itself
    told = f"its computer has not come back from a reboot ({reboot.why})"
    if not asked:
        told = f"its computer does not answer, to be rebooted ({reboot.why})"
    look = Next(f"doctor {one.computer}", "looks whether it answers, and which boot it is in")
    force = Next(f"sessions reboot {one.id}", "asks for the reboot again, by force, where it answers")
    cancel = Next(f"sessions cancel {one.id}", "nothing new begins when it is back")
    advice = "look at its console: updates that are being configured, a BitLocker PIN, a boot menu, a hung shutdown"
    yield Holding(Cause.REBOOT, told, since, since + whole, False, (), (look, force, cancel), advice)


def _job(one: OpenSession, state: State, job: Job, around: Surroundings) -> Iterator[Holding]:
    if not job.seen or job.over or state.lost is not None or not state.current:
        return
    seconds = state.actions[state.current].plan.timeout_seconds
    deadline = job.seen_at + seconds
    news = max((at for at in _news(one, job)), default=job.seen_at)
    cancel = Next(f"sessions cancel {one.id}", "nothing new begins after this job")
    stop = Next(f"sessions cancel {one.id} --now", "ends the job, too, where that is safe")
    if around.now - news >= SILENT_SECONDS:
        told = f"the job of {state.current} has written nothing; it is given up at its deadline"
        lines = tuple(_output(one, job).rstrip("\n").splitlines()[-LAST_LINES:])
        show = Next(f"sessions show {one.id}", "shows all of its output")
        yield Holding(Cause.SILENT_JOB, told, news, deadline, False, lines, (show, _log(one), cancel, stop))
    elif deadline - around.now <= min(NEAR_SECONDS, seconds / 5):
        over = "is over" if around.now > deadline else "is near"
        told = f"the deadline of {state.current} {over}; {OVERDUE_SECONDS / 60:.0f} minutes after it the job is left"
        yield Holding(Cause.DEADLINE, told, job.seen_at, deadline, False, (), (_log(one), cancel))


def _time(one: OpenSession, state: State, around: Surroundings) -> Iterator[Holding]:
    """That the session has nearly taken as long as it may."""
    whole, at = state.spec.options.session_timeout_minutes * 60.0, deadlines.ends_at(state, around.now)
    if at is None or at - around.now > min(NEAR_SECONDS, whole / 5):
        return
    told = "the time of the session is nearly over (session_timeout_minutes): its job will be left, nothing new begins"
    yield Holding(Cause.DEADLINE, told, state.spec.created_at, at, False, (), (_log(one),))


def _news(one: OpenSession, job: Job) -> Iterator[float]:
    """When a job was heard of: its beginning, and each piece of output."""
    for stamped in one.entries:
        match stamped.entry:
            case JobIntended(job_id) if job_id == job.id:
                yield stamped.at
            case JobSeen(job_id) if job_id in ("", job.id):
                yield stamped.at


def _output(one: OpenSession, job: Job) -> str:
    return "".join(
        stamped.entry.output
        for stamped in one.entries
        if isinstance(stamped.entry, JobSeen | JobEnded) and stamped.entry.job_id in ("", job.id)
    )


def _is_quiet(one: OpenSession, state: State, around: Surroundings) -> bool:
    working = state.epoch > 0 and state.waiting is None and bool(one.owner) and bool(one.entries)
    return working and around.now - one.entries[-1].at >= QUIET_SECONDS
