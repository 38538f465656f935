"""The history's words as a customer reads them: one sentence for each, and who acts next.

No ids, no names of files or programs, no words of the trade: a computer is restarted and not rebooted, nothing is
deployed. What a customer is asked for stands in `please`. A word of a newer history is the operator's to look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.model.plan import Held
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status, WaitKind


class Next(StrEnum):
    """Who acts next."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Told:
    """What a customer is told of one word."""

    text: str
    next: Next
    please: str = ""
    """What the customer is asked to do; empty where it is somebody else's turn."""


def _you(text: str, please: str) -> Told:
    return Told(text, Next.CUSTOMER, please)


def _we(text: str) -> Told:
    return Told(text, Next.OPERATOR)


def _fine(text: str) -> Told:
    return Told(text, Next.NOBODY)


NEXT: Mapping[Next, str] = {
    Next.CUSTOMER: "Please help",
    Next.OPERATOR: "We look at it",
    Next.NOBODY: "For your information",
}
"""Who acts next, as a heading."""

_LEAVE_ON = "Please switch the computer on and connect it to the network."
_RESTART = "Please restart the computer when it suits you."

OUTCOMES: Mapping[str, Told] = {
    Outcome.SUCCESS: _fine("Done."),
    Outcome.FAILED: _we("It could not be completed."),
    Outcome.UNKNOWN: _we("We could not find out whether there is something to do."),
    Outcome.SKIPPED: _we("It was not done this time."),
    Outcome.CANCELLED: _we("It was stopped before it was done."),
    Outcome.NOT_COMPLIANT: _we("We checked it: it is not as it should be. Nothing was changed."),
    Outcome.LEFT: _fine("It is left for another maintenance."),
    Outcome.NOTHING: _fine("Checked; nothing was to be done."),
}

OUTCOME_REASONS: Mapping[str, Told] = {
    OutcomeReason.VERIFIED: _fine("Done, and checked afterwards."),
    OutcomeReason.ALREADY_SO: _fine("Checked; it is as it should be."),
    OutcomeReason.REBOOT_PENDING: _you("Done; it takes full effect after a restart.", _RESTART),
    OutcomeReason.EXIT_CODE: _we("It ended with an error."),
    OutcomeReason.RAN: _fine("Worked on by hand."),
    OutcomeReason.NOT_CONVERGED: _we("It was carried out, but the computer is not yet as it should be."),
    OutcomeReason.DEADLINE: _we("It took too long and was stopped."),
    OutcomeReason.IN_DOUBT: _we("We do not know yet whether it was completed."),
    OutcomeReason.REBOOTS_SKIPPED: _we("It needs a restart, and none was allowed this time."),
    OutcomeReason.DEPENDENCY: _fine("It follows when something else is done that has to come first."),
    OutcomeReason.STOPPED: _we("It was not begun, because something went wrong before."),
    OutcomeReason.CANCELLED: _we("It was stopped before it was begun."),
    OutcomeReason.NOT_THIS_TYPE: _fine("It is left for another maintenance."),
    OutcomeReason.USER_CONTEXT: _you(
        "It can only be done while you are logged on.", "Please log on to the computer and leave it on."
    ),
    OutcomeReason.DETECTION_FAILED: _we("We could not find out what is there."),
    OutcomeReason.UNDECIDED: _we("We could not find out whether it is meant for this computer."),
    OutcomeReason.WRONG_DEFINITION: _we("Our description of it has a mistake."),
    OutcomeReason.CONFLICT: _we("Our rules for it contradict each other."),
    OutcomeReason.NO_METHOD: _we("We have no way to do it on this computer yet."),
    OutcomeReason.COULD_NOT_START: _we("It could not be started."),
    OutcomeReason.AUDIT: _we("We checked it: it is not as it should be. Nothing was changed."),
    OutcomeReason.MONITOR: _fine("Checked; nothing was to be changed."),
    OutcomeReason.IGNORED: _fine("It is left alone on this computer, as agreed."),
    OutcomeReason.NOT_APPLICABLE: _fine("It is not meant for this kind of computer."),
    OutcomeReason.RETRIES: _we("It was tried several times, without success."),
    OutcomeReason.REBOOT_FAILED: _we("The restart before it did not work out."),
    OutcomeReason.BUSY: _fine("Another maintenance was under way on the computer."),
    OutcomeReason.PREFLIGHT: _fine("The computer was in use or busy; it is done at the next maintenance."),
    OutcomeReason.WINDOW: _fine("The agreed time was over; it is done at the next maintenance."),
    OutcomeReason.HELD: _fine("The computer is left as it is for now, as agreed."),
    OutcomeReason.TIME_OVER: _we("The maintenance took too long and was ended."),
    OutcomeReason.NOT_APPROVED: _we("It was not approved on our side."),
}
"""Why an action ended as it did; where it ended well for a reason that is told of failures, the outcome counts."""

HELD: Mapping[str, Told] = {
    Held.NOT_THIS_TYPE: OUTCOME_REASONS[OutcomeReason.NOT_THIS_TYPE],
    Held.REBOOT_SKIPPED: OUTCOME_REASONS[OutcomeReason.REBOOTS_SKIPPED],
    Held.USER_CONTEXT: OUTCOME_REASONS[OutcomeReason.USER_CONTEXT],
    Held.DEPENDENCY: OUTCOME_REASONS[OutcomeReason.DEPENDENCY],
    Held.NO_METHOD: OUTCOME_REASONS[OutcomeReason.NO_METHOD],
    Held.UNKNOWN: OUTCOMES[Outcome.UNKNOWN],
}

CONTACT: Mapping[str, Told] = {
    "no_room": _we("Our own system was too busy to reach the computer."),
    "unreachable": _you("The computer could not be reached: it was off or not connected.", _LEAVE_ON),
    "timeout": _you("The computer did not answer in time.", _LEAVE_ON),
    "authentication": _we("The computer did not accept our credentials."),
    "certificate": _we("We could not make sure that it is the right computer."),
    "garbled": _we("The computer gave an answer that we cannot use."),
    "dropped": _you("The connection to the computer was lost.", _LEAVE_ON),
    "refused": _we("The computer did not allow the maintenance."),
    "identity": _we("Another computer answered in its place."),
}

ENDS: Mapping[str, Told] = {
    EndReason.UNKNOWN: _we("The maintenance did not come to its end."),
    EndReason.ACTIONS: _we("The maintenance came to its end; some of it needs another look."),
    EndReason.AWAY: CONTACT["unreachable"],
    EndReason.REFUSED: _we("The computer answered, but the maintenance was not possible."),
    EndReason.LOST: CONTACT["dropped"],
    EndReason.STAGE: _we("The maintenance could not be completed."),
    EndReason.REBOOT: _you("The computer did not come back from its restart.", _LEAVE_ON),
    EndReason.CANCELLED: _we("The maintenance was stopped."),
    EndReason.SUPERSEDED: _fine("A newer maintenance took its place."),
    EndReason.EXCLUDED: _fine("The computer is excluded from maintenance, as agreed."),
    EndReason.HALTED: _we("The maintenance was put off before it reached this computer."),
    EndReason.BUSY: _fine("Another maintenance was under way on the computer."),
    EndReason.PREFLIGHT: _fine("The computer was in use or busy; it is done at the next maintenance."),
    EndReason.WINDOW: _fine("The agreed time was over; it is done at the next maintenance."),
    EndReason.HELD: _fine("The computer is left as it is for now, as agreed."),
    EndReason.TIME_OVER: _we("The maintenance took too long and was ended."),
    EndReason.NOT_APPROVED: _we("The maintenance was not approved on our side."),
    EndReason.CRASHED: _we("The maintenance ended by a fault on our side."),
}

STATUSES: Mapping[str, tuple[str, Told]] = {
    Status.FAILED: ("not done", _we("The maintenance could not be completed.")),
    Status.PARTIALLY_PASSED: ("partly done", _we("Some of it needs another look.")),
    Status.INTERRUPTED: ("interrupted", _we("The maintenance was interrupted.")),
    Status.MISSED: ("not reached", _we("The maintenance could not take place.")),
    Status.CANCELLED: ("stopped", _we("The maintenance was stopped.")),
    Status.RUNNING: ("under way", _fine("The maintenance is under way.")),
    Status.WAITING: ("not finished", _fine("The maintenance goes on by itself.")),
    Status.CREATED: ("not begun", _fine("The maintenance has not begun yet.")),
    Status.PASSED: ("in order", _fine("Everything is as it should be.")),
    Status.SUPERSEDED: ("replaced", ENDS[EndReason.SUPERSEDED]),
}
"""Status -> (label, what is told)."""

OPEN: tuple[str, Told] = ("nearly in order", _fine("All is as it should be, but for what is told above."))
"""The same of a computer that passed, while something is open on it."""

WAITS: Mapping[str, Told] = {
    WaitKind.JOB: _fine("The maintenance is under way."),
    WaitKind.REBOOT: _fine("The computer is restarting."),
    WaitKind.WINDOW: _fine("The maintenance begins at the agreed time."),
    WaitKind.CONNECTIVITY: _you("The maintenance goes on as soon as the computer can be reached.", _LEAVE_ON),
    WaitKind.RETRY: _fine("It will be tried again."),
    WaitKind.PAUSE: _fine("The maintenance goes on after a pause."),
    WaitKind.PREFLIGHT: _fine("The maintenance begins as soon as the computer is free for it."),
    WaitKind.SLOT: _fine("The maintenance begins as soon as it is this computer's turn."),
    WaitKind.APPROVAL: _we("The maintenance waits for an approval on our side."),
    WaitKind.HOLD: _fine("The computer is left as it is for some days, as agreed; then the maintenance goes on."),
    WaitKind.BRAKES: _we("The maintenance waits for an approval on our side."),
    WaitKind.TURN: _fine("The maintenance begins as soon as it is this computer's turn."),
    WaitKind.LOGON: _you("The maintenance goes on when the computer's user is logged on.", "Please log on."),
    WaitKind.PROMPT: _you("Somebody was asked there whether it may restart.", "Please answer the question."),
}

ACTIONS: Mapping[str, str] = {
    ActionType.INSTALL: "Installed",
    ActionType.UPDATE: "Updated",
    ActionType.DOWNGRADE: "Set back to an older version",
    ActionType.UNINSTALL: "Removed",
    ActionType.REPAIR: "Repaired",
    ActionType.REINSTALL: "Installed anew",
    ActionType.ENFORCE: "Set as agreed",
    ActionType.RUN: "Worked on by hand",
    ActionType.AUDIT: "Checked",
    ActionType.MONITOR: "Checked",
    ActionType.NONE: "Checked",
    ActionType.UNDETERMINED: "Looked at",
}
"""What was done, where it was done."""

PLANNED: Mapping[str, Told] = {
    "planned": _fine("It is planned, and not done yet."),
    "running": _fine("It is under way."),
    "retry": _fine("It will be tried again."),
}

_NEW = _we("It needs another look.")


def end(outcome: str | None, reason: str | None, held: str | None, status: str) -> Told:
    """How an action ended, or why it has not."""
    if outcome is None:
        return HELD.get(held or "") or PLANNED.get(status) or _NEW
    said, why = OUTCOMES.get(outcome, _NEW), OUTCOME_REASONS.get(reason or "")
    if why is None or (said.next is Next.NOBODY and why.next is Next.OPERATOR):
        return said
    # Nobody's turn is said of what went well; a failure with such a reason is still to be looked at.
    return Told(why.text, said.next) if outcome == Outcome.FAILED and why.next is Next.NOBODY else why


def session(status: str, end_reason: str, reason: str, waiting: str) -> Told:
    """Why a session has its status."""
    if status == Status.PASSED:
        return STATUSES[Status.PASSED][1]
    if status == Status.WAITING:
        return WAITS.get(waiting.partition(":")[0]) or STATUSES[Status.WAITING][1]
    if status in (Status.MISSED, Status.FAILED):
        contact = CONTACT.get(reason.partition(":")[0])
        if contact is not None:
            return contact
    if end_reason and end_reason in ENDS and end_reason not in (EndReason.UNKNOWN, EndReason.ACTIONS):
        return ENDS[end_reason]
    return STATUSES[status][1] if status in STATUSES else _NEW


def status_label(status: str) -> str:
    """A session's status as a label."""
    return STATUSES[status][0] if status in STATUSES else "not finished"
