"""One session in this process: its folded state, its leg, and the loop over `next_step`.

The loop writes what is about to happen, does it, and writes what came of it; it decides nothing, and changes its state
by folding entries only. `advance` never raises an expected error: whatever goes wrong becomes an entry.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.gate import left_open
from immy_nornir.decide.steps.holding.approval import anything
from immy_nornir.decide.steps.moment import Approver, Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.reboots import left_owing
from immy_nornir.decide.steps.state import State, did_anything, fold, may_plan_again
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Take, Wait
from immy_nornir.errors import FilesError, HistoryError
from immy_nornir.history.projection import stage_of
from immy_nornir.history.store import Busy
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    WEAK_SECRET,
    ApprovalDenied,
    ApprovalGiven,
    Entry,
    Finished,
    Interrupted,
    Noted,
    RebootInherited,
    Resumed,
    StageFailed,
    Stamped,
    StopAsked,
    Waiting,
)
from immy_nornir.model.record.session import EndReason, Status, WaitKind
from immy_nornir.model.record.words import process_of
from immy_nornir.session import cramped, operations
from immy_nornir.session.before.inputs import compare
from immy_nornir.session.crew.settled import Parked, Settled
from immy_nornir.session.hearing.known_secrets import learn
from immy_nornir.session.leg import Leg
from immy_nornir.session.recap import Recap, recap_of
from immy_nornir.session.reins.holds import may_be_lifted
from immy_nornir.session.reins.orders import take_in

if TYPE_CHECKING:
    from immy_nornir.model.control.orders import Order
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine

_ANSWERED = (WaitKind.APPROVAL, WaitKind.BRAKES)
"""Waits that end with an answer."""
_BEHIND_SECONDS = 10.0
"""How often a session looks whether another one of this process is still at work on its computer."""
_CRASHES = 3
"""How many operations of one session may raise something unexpected before it ends as failed."""


class LiveSession:
    """A session that this process may advance; used by one thread at a time."""

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_anew",
        "_begun",
        "_behind_since",
        "_broken",
        "_compared",
        "_cramped",
        "_crashes",
        "_deferred",
        "_inherited",
        "_lock",
        "_parked",
        "_recap",
        "_state",
        "_successor",
        "_unread",
        "_weak",
        "approver",
        "before",
        "engine",
        "inbox",
        "leg",
        "refused",
        "run_over",
        "seat",
        "spec",
        "superseded_by",
    )

    def __init__(self, engine: Engine, state: State, *, made_now: bool = False, anew: bool = False) -> None:
        """`made_now`: of the files as this process read them, or just compared with them; `anew`: for another run."""
        self.engine = engine
        self.spec = state.spec
        self._weak = learn(engine, state.spec)
        self.leg = Leg(engine, state.spec)
        self.before: LiveSession | None = None
        """An older session of the computer that has to be settled first."""
        self.superseded_by = ""
        """The session before which it is only settled: nothing new begins in it."""
        self.approver = Approver.NOT_NEEDED
        self.refused: Settled | None = None
        """Why this process may not advance it: another is at work, or it has ended."""
        self.run_over = ""
        """That its run has taken as long as it may."""
        self._state: State | None = state
        self._recap: Recap | None = None
        self._begun = False
        self._crashes = 0
        self._cramped = cramped.Cramped()
        self._behind_since = 0.0
        """Since when another session of this process is waited for, on the same computer."""
        self._deferred = False
        self._parked: Wait | None = None
        """What it waits for while nobody is in it."""
        self._lock = threading.RLock()
        """Held while an entry is written: `abandon` comes from another thread."""
        self._abandoned = False
        self._anew = anew
        self._broken = ""
        """Why an answer could not be written."""
        self._compared = engine.files if made_now else -1
        """With which reading of the files it agrees."""
        self._unread = ""
        """Why it could not be compared with the files; nothing is begun then."""
        self._successor: SessionSpec | None = None
        """What takes its place once it has been settled."""
        self.seat = threading.Lock()
        """Held by whoever is in it, between two of its waits."""
        self.inbox: tuple[Order, ...] = ()
        """Orders that it has not answered yet; taken in between two steps (session.reins.orders)."""
        engine.orders.enlist(self)
        self._inherited: RebootInherited | None = None
        """A reboot that is owed by the session whose place this one takes."""

    @property
    def id(self) -> str:
        """The session's id."""
        return self.spec.id

    @property
    def computer(self) -> str:
        """The computer's name."""
        return self.spec.computer

    @property
    def state(self) -> State:
        """Its state, until it has settled here."""
        assert self._state is not None, f"session {self.id} has ended; its recap is left"  # noqa: S101 - our own bug
        return self._state

    @property
    def never_begun(self) -> bool:
        """Whether no process ever owned it."""
        return self._state is not None and self._state.epoch == 0

    @property
    def rests(self) -> bool:
        """Whether nothing more comes of it in this process: it has settled, or was deferred."""
        return self._recap is not None or self._deferred

    def defer(self) -> None:
        """Leave it waiting for its time, with no owner: whoever resumes it takes it up."""
        self._deferred = True
        self.leg.claim.leave(self._state)
        self.engine.history.defer(self.computer, self.id)
        if self.before is not None:
            self.before.defer()

    @property
    def recap(self) -> Recap:
        """It in short, as it is now; of a session that has settled here, what is left of it."""
        state = self._state  # first: another thread may let it go
        return self._recap if self._recap is not None or state is None else recap_of(state)  # type: ignore[return-value]

    # --- the record ---

    def append(self, entry: Entry, *, durable: bool = False) -> None:
        """Fold and store one entry, and tell the listener."""
        with self._lock:
            before = self._state
            if self._abandoned or before is None:
                raise HistoryError("this process has left the session")
            stamped = Stamped(before.entries + 1, self.engine.clock.now(), entry)
            after = fold(before, stamped)
            self.engine.history.append(after, stamped, durable=durable)
            self._state = after
            self.leg.contact = self.leg.contact.after(before, stamped)
        self.leg.claim.after(after, entry)
        with contextlib.suppress(Exception):  # a terminal that went away must not cost the session
            self.engine.listener(after, stamped)

    # --- who approves what it plans: from the thread that asks, while nobody is in the session ---

    @property
    def waits_for_approval(self) -> bool:
        """Whether nobody is in it until somebody says that it may do what it plans."""
        parked = self._parked
        return parked is not None and parked.kind in _ANSWERED

    @property
    def may_ask(self) -> bool:
        """Whether it may still come to its first plan and wait for approval, while this process stays for it."""
        state, asked = self._state, self.approver in (Approver.PERSON, Approver.BRAKES)
        if state is None or not asked or self.rests or self._is_away():
            return False
        return state.job is None and not (state.finished or state.denied or anything(state))

    def _is_away(self) -> bool:
        """Whether it, or what has to be settled before it, waits for its time or its computer."""
        parked, before = self._parked, self.before
        return (parked is not None and parked.deferred) or (before is not None and before._is_away())  # noqa: SLF001 - our own

    @property
    def state_now(self) -> State | None:
        """Its state as another thread may look at it; None where it has settled here."""
        return self._state

    def answer(self, entry: ApprovalGiven | ApprovalDenied, about: State) -> None:
        """Write down what somebody said of a state; whoever says it has the session called again.

        An answer to a plan that is not the session's any more is none.
        """
        with self._lock:
            state = self._state
            if state is None or (state.spec.id, state.plan) != (about.spec.id, about.plan):
                return
            self._parked = None
            try:
                self.append(entry, durable=True)
            except HistoryError as error:
                self._broken = error.message

    # --- the loop ---

    def advance(self, *, woken: bool = False) -> Parked | Settled:
        """Go on until the session waits or ends; `woken` when the computer was just seen to answer."""
        with self.seat:
            return self._advanced(woken=woken)

    def _advanced(self, *, woken: bool) -> Parked | Settled:
        if self._broken:
            return self.leave(f"history: {self._broken}")
        try:
            outcome = self._after_before(woken=woken) or self._advance(woken=woken)
        except Exception as error:  # noqa: BLE001 - a bug of ours must end as an outcome of this computer alone
            parked, why = self._cramped.parked(error, self.leg, self._state), cramped.why_left(error)
            return parked or (self.leave(why) if why else self._crashed())
        self._cramped.over()
        return outcome

    def _after_before(self, *, woken: bool) -> Parked | Settled | None:
        """Settle what has to come first; None when this session may begin."""
        if self.before is None:
            return None
        before = self.before
        match before.advance(woken=woken):
            case Parked(wait) as parked:
                if wait.deferred and self._recap is None and self.state.waiting is None:
                    about = f"session {before.id}, which comes first: {wait.about}"
                    self.append(Waiting(wait.kind, wait.until, about, deferred=True))
                return parked
            case Settled(Status.INTERRUPTED, message) if before.refused is None:
                if self._recap is None:
                    self.append(Interrupted(f"before it began; session {before.id} comes first: {message}"))
                return self._settle()
            case Settled():
                self._inherited, self.before = before.owed, None
        return None

    @property
    def owed(self) -> RebootInherited | None:
        """The reboot that it leaves to whoever takes its place, once it has settled."""
        return self._inherited if self._state is None else None

    def _crashed(self) -> Settled:
        text = f"a fault of immy ended it; {self.engine.keep_bug()}"
        with contextlib.suppress(HistoryError):
            self.append(Finished(Status.FAILED, text, EndReason.CRASHED))
        return self._settle(Status.FAILED, text, EndReason.CRASHED)

    def _advance(self, *, woken: bool) -> Parked | Settled:
        outcome = self._go_on(woken=woken)
        while isinstance(outcome, Settled) and self._successor is not None:
            self._become(self._successor)
            outcome = self._go_on(woken=False)
        return outcome

    def _become(self, spec: SessionSpec) -> None:
        """Go on as the session that takes the place of this one, which has ended."""
        self.spec, self._state = spec, State(spec, self.engine.definitions)
        self.engine.orders.enlist(self)
        self._weak = learn(self.engine, spec)
        self.leg = Leg(self.engine, spec)
        self.refused, self._recap, self._parked, self._successor = None, None, None, None
        self._begun, self._crashes, self._compared = False, 0, self.engine.files
        if self.engine.approver is not Approver.NOT_NEEDED:
            self.approver = self.engine.approver

    def compared(self) -> tuple[str, SessionSpec | None]:
        """As `inputs.compare`; where the files say the same nothing is compared until they are read again.

        Raises: FilesError.
        """
        files = self.engine.files
        if self._compared == files:
            return "", None
        why, today = compare(self.engine, self.state)
        if not why:
            self._compared = files
        return why, today

    def _compare(self) -> None:
        """End what was planned from files that say otherwise now; a new session by these files takes its place."""
        engine, state = self.engine, self.state
        engine.look_at_files()
        held = state.pause is not None  # what takes its place would not be
        if state.stop is not None or state.finished is not None or held:
            return
        files, self._unread = engine.files, ""
        try:
            why, today = self.compared()
        except FilesError as error:
            self._unread = f"the files cannot be read: {error.message}"
            return
        if why and state.failure is None:
            new = None if today is None else engine.history.create_successor(today)
            told = f"{why}; session {new.id} takes its place" if new is not None else why
            self.append(StopAsked(SUPERSEDE, told, "" if new is None else new.id), durable=True)
            self._successor = new
        self._compared = files

    def _go_on(self, *, woken: bool) -> Parked | Settled:
        refused = self.begin()
        if refused is not None:
            return refused
        self._parked = None
        self.leg.claim.look()
        if woken:
            self.leg.contact = self.leg.contact.woken()
        if self._inherited is not None and self.state.inherited is None:
            self.append(self._inherited)
        if self.superseded_by and self.state.stop is None:
            self.append(StopAsked(SUPERSEDE, f"superseded by session {self.superseded_by}", self.superseded_by))
        while True:
            take_in(self, self.engine.history)
            self._compare()
            match next_step(self.state, self.moment):
                case Finish(status, message, reason):
                    self._release()
                    if self.state.finished is None:
                        self.append(Finished(status, message, reason))
                    return self._settle()
                case Wait() as wait:
                    return self._park(wait)
                case Note(Interrupted() as entry):
                    self.append(entry)
                    # Others may look at the computer meanwhile, a later play of this run among them.
                    self.engine.history.release([self.computer])
                    return self._settle()
                case Note(entry, durable):
                    self.append(entry, durable=durable)
                case Take() as take:
                    self.leg.claim.take(take)
                case Perform(do, action_id):
                    self._perform(do, action_id)

    @property
    def moment(self) -> Moment:
        """What its next step depends on beside its record, now."""
        engine = self.engine
        frozen, holds = engine.held(self.state, self._unread)
        return Moment(
            engine.clock.now(),
            self.leg.contact,
            engine.stop.level > 0,
            frozen,
            self.approver,
            holds,
            self.run_over,
            self.leg.claim.now(),
        )

    def begin(self) -> Parked | Settled | None:
        """Own the session's computer from now on; the end where somebody else does, or the session has ended.

        Only a session that nobody has begun is written to when the computer is taken: another may be at work on it. One
        of this process is waited for, where its runs share computers.
        """
        if not self._begun:
            claimed = self._claim()
            if isinstance(claimed, Parked):
                return claimed
            self._begun = True
            self.refused = claimed
        return self.refused

    def _claim(self) -> Parked | Settled | None:
        if self._state is None or self._state.finished is not None:
            return Settled(self.recap.status, self.recap.message)
        if (behind := self._behind(self.engine.settling.ahead_of(self))) is not None:
            return behind
        claimed = self.engine.history.claim(self.computer, self.id)
        if isinstance(claimed, Busy):
            message = f"session {claimed.session_id} is at work on this computer ({process_of(claimed.owner)})"
            mine = claimed.owner == self.engine.history.owner
            if (behind := self._behind(claimed.session_id if mine else "")) is not None:
                return behind
            if self.state.entries:
                return self.leave(message)
            self.append(Finished(Status.MISSED, message, EndReason.BUSY))
            return self._settle()
        if claimed.entries > self.state.entries:  # another process was at it since our reading of its record
            self._catch_up()
        if self.state.finished is not None:
            self.engine.history.release([self.computer])
            return self._settle()
        state = self.state
        looked = may_plan_again(state) and state.spec.type.executes
        after = self.engine.history.ended_since(state.spec, state.detected_at) if looked else ""
        self.append(Resumed(self.engine.history.owner, claimed.epoch, after, self._anew))
        self.leg.epoch = claimed.epoch
        if claimed.epoch > 1 or state.entries:  # orders may have come while nobody was at it
            self.inbox = tuple(self.engine.history.orders_of(self.id))
        if self._weak and claimed.epoch == 1:
            self.append(Noted(WEAK_SECRET))
        return None

    def _behind(self, other: str) -> Parked | None:
        """The wait behind another session of this process, where its runs share computers; not for ever."""
        now, patience = self.engine.clock.now(), self.engine.patience
        if not other or not patience:
            return None
        self._behind_since = self._behind_since or now
        if now - self._behind_since >= patience:
            return None
        return Parked(Wait(WaitKind.RETRY, now + _BEHIND_SECONDS, f"session {other}"))

    def _catch_up(self) -> None:
        """Take in what another process wrote between our reading of the record and our owning it."""
        newest = self.engine.stored(self.id)
        if newest is not None and newest.entries > self.state.entries:
            self._state = newest

    @property
    def owns(self) -> bool:
        """Whether this process owns its computer for it."""
        return self._begun and self.refused is None

    def end(self, status: Status, message: str, reason: EndReason) -> None:
        """End a session from outside: one that may not begin, or never came to its turn."""
        self.append(Finished(status, message, reason))
        self._settle()

    def interrupt(self, message: str) -> None:
        """Leave a session from outside before its turn; it can be taken up again."""
        self.append(Interrupted(message))
        self._settle()

    def wait_for_turn(self, about: str) -> None:
        """Leave a session that was not begun for its turn, with no owner: whoever resumes its run takes it up."""
        known = self.state.waiting
        if known is None or (known.kind, known.about) != (WaitKind.TURN, about):
            self.append(Waiting(WaitKind.TURN, self.engine.clock.now(), about, deferred=True))
        self.defer()

    def _settle(self, status: Status | None = None, message: str = "", reason: EndReason | None = None) -> Settled:
        """Keep of the session what is said of it in summaries: a run holds all its sessions, the history the rest.

        With a status, what is said differs from the record, which another writes or which cannot be written.
        """
        state, recap = self._state, self.recap
        self.leg.close()
        self.leg.claim.leave(state)
        self._inherited = None if state is None else left_owing(state)
        if status is not None:
            recap = dataclasses.replace(recap, status=status, message=message, reason=reason, deferred=False)
        self._recap, self._state = recap, None
        return Settled(recap.status, recap.message)

    def leave(self, message: str) -> Settled:
        """Stop here without a word in the record, which another writes or which cannot be written."""
        return self._settle(Status.INTERRUPTED, message)

    def abandon(self, why: str = "stopped by the operator") -> None:
        """Leave a session that another thread may still be in: that thread writes no further entry."""
        if self.before is not None:
            self.before.abandon(why)
        state, parked = self._state, self._parked
        deferred = parked is not None and parked.deferred
        if state is not None and state.finished is None and state.interrupted is None and not deferred:
            with contextlib.suppress(HistoryError):
                self.append(Interrupted(f"{why}{left_open(state, parked)}"))
        with self._lock:
            self._abandoned = True

    def _park(self, wait: Wait) -> Parked:
        """Hold nothing; the same wait again is not worth another entry."""
        if wait.deferred or wait.kind in _ANSWERED:
            self._release()
        self.leg.close()
        news = self.leg.claim.park(self.state, wait)
        known = self.state.waiting
        same = known is not None and (known.kind, known.about, known.deferred) == (wait.kind, wait.about, wait.deferred)
        if not same and not self.leg.claim.brief(wait):
            self.append(Waiting(wait.kind, wait.until, wait.about, wait.deferred))
        self._parked = wait
        return Parked(may_be_lifted(wait, self.engine.clock.now()), self.leg.address, news)

    def _release(self) -> None:
        """Leave the computer to others, where it was taken by an effect of this session, and answers.

        A job that was left at work keeps them away: the lease ends by itself when that has.
        """
        state = self.state
        there = state.lost is None and not state.reboot_failure
        if (did_anything(state) or state.reboots) and there and not state.left:
            self.leg.release()

    def _perform(self, do: Do, action_id: str) -> None:
        before, leg, engine = self.state, self.leg, self.engine
        leg.claim.performed(do)
        try:
            for entry in operations.attempt(before, leg, do, action_id):
                self.append(entry)
        except Exception as error:  # a bug of ours must end as an outcome of this computer alone
            if cramped.why_left(error):
                raise
            self._crashes += 1
            leg.close()
            text = f"a fault of immy in the stage {stage_of(self.state)}; {engine.keep_bug()}"
            if self._crashes >= _CRASHES or do in (Do.RESOLVE, Do.MAKE_PLAN):
                stage = Stage(stage_of(self.state))
                self.append(StageFailed(stage, text, EndReason.CRASHED))
            else:
                self.append(Noted(f"{text}; it is tried again"))
        if self.state.entries != before.entries:
            return
        if do in (Do.POLL_JOB, Do.CHECK_BOOT, Do.HEAR_ANSWERS):
            leg.contact = leg.contact.looked(engine.clock.now(), achieved=do is not Do.CHECK_BOOT)
        elif do is Do.LOOK_READY:
            leg.contact = leg.contact.ready_as_before(engine.clock.now())
