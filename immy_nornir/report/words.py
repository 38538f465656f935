"""The history's words as plain English, in one place: statuses, actions, reasons, outcomes, times.

Used by `build` for sentences that the report carries, and by the templates. A word that is not known here (from a newer
history) is shown as it is, with spaces for underscores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from immy_nornir.model.plan import Held, Reason
from immy_nornir.model.record import words as screens
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status

STATUSES: Mapping[str, tuple[str, str]] = {
    Status.FAILED: ("failed", "Nothing that was to be done succeeded, or the session could not go on."),
    Status.PARTIALLY_PASSED: ("partially passed", "Some is as it should be; some failed, was skipped or is unknown."),
    Status.INTERRUPTED: ("interrupted", "The session ended before its work did; it can be resumed."),
    Status.MISSED: ("missed", "Nothing was done in its time: the computer was not there, or the window closed."),
    Status.CANCELLED: ("cancelled", "Somebody stopped the session."),
    Status.RUNNING: ("running", "The session is at work."),
    Status.WAITING: ("waiting", "The session waits and goes on by itself or when it is resumed."),
    Status.CREATED: ("not begun", "The session has not begun."),
    Status.PASSED: ("passed", "Everything is as it should be."),
    Status.SUPERSEDED: ("superseded", "A newer session of the same work, or by changed files, took its place."),
}
"""Status -> (label, meaning), the worst first."""

OUTCOMES: Mapping[str, str] = {str(outcome): word for outcome, word in screens.OUTCOMES.items()}
"""The same words as on screens."""

OUTCOME_REASONS: Mapping[str, str] = {
    OutcomeReason.VERIFIED: "Done, and found in order afterwards.",
    OutcomeReason.ALREADY_SO: "It is already as it should be.",
    OutcomeReason.REBOOT_PENDING: "Done; a reboot is still needed before it takes full effect.",
    OutcomeReason.EXIT_CODE: "Its installer or script ended with an error.",
    OutcomeReason.RAN: "It was run by hand, and ended well.",
    OutcomeReason.NOT_CONVERGED: "It ran to its end, but the computer is still not as it should be.",
    OutcomeReason.DEADLINE: "It took longer than it may and was stopped.",
    OutcomeReason.IN_DOUBT: "Nobody knows whether it ended: the computer went down or lost its record meanwhile.",
    OutcomeReason.REBOOTS_SKIPPED: "It needs a reboot, and this session may not reboot the computer.",
    OutcomeReason.DEPENDENCY: "Something that it depends on was not done.",
    OutcomeReason.STOPPED: "The session stopped after an earlier failure.",
    OutcomeReason.CANCELLED: "Somebody stopped the session before it began.",
    OutcomeReason.NOT_THIS_TYPE: "There is work, but sessions of this type do not do it; another type will.",
    OutcomeReason.USER_CONTEXT: "It has to run as a user, and that user is not logged on.",
    OutcomeReason.DETECTION_FAILED: "It could not be found out what is there.",
    OutcomeReason.UNDECIDED: "It is not known whether it is to be done here: a condition rests on what is not known.",
    OutcomeReason.WRONG_DEFINITION: "Its definition is wrong: it cannot be judged on any computer.",
    OutcomeReason.CONFLICT: "The fleet's files ask for things that contradict each other.",
    OutcomeReason.NO_METHOD: "There is no way to do this on this computer.",
    OutcomeReason.COULD_NOT_START: "It could not be started.",
    OutcomeReason.AUDIT: "Only looked at, as its deployment says; nothing was changed.",
    OutcomeReason.MONITOR: "Its value was read; nothing was to be changed.",
    OutcomeReason.IGNORED: "Its deployment says that this computer is to be left alone.",
    OutcomeReason.NOT_APPLICABLE: "It is not meant for this kind of computer.",
    OutcomeReason.RETRIES: "It was tried as often as it may be, without success.",
    OutcomeReason.REBOOT_FAILED: "The reboot before it did not work out.",
    OutcomeReason.BUSY: "Another session was at work on the computer.",
    OutcomeReason.PREFLIGHT: "The computer was not ready for it.",
    OutcomeReason.WINDOW: "Its window closed before it was done.",
    OutcomeReason.HELD: "The computer is to be left as it is for now.",
    OutcomeReason.TIME_OVER: "The time of its session, or of the run, was over before it was done.",
    OutcomeReason.NOT_APPROVED: "Nobody has approved it, or a brake of the run held it.",
}

HELD: Mapping[str, str] = {
    Held.NOT_THIS_TYPE: OUTCOME_REASONS[OutcomeReason.NOT_THIS_TYPE],
    Held.REBOOT_SKIPPED: OUTCOME_REASONS[OutcomeReason.REBOOTS_SKIPPED],
    Held.USER_CONTEXT: OUTCOME_REASONS[OutcomeReason.USER_CONTEXT],
    Held.DEPENDENCY: "Something that it depends on will not be done.",
    Held.NO_METHOD: OUTCOME_REASONS[OutcomeReason.NO_METHOD],
    Held.UNKNOWN: "It is not known whether there is anything to do, so nothing is done.",
}
"""Why a session will not do an action that there is."""

CONTACT: Mapping[str, str] = {
    "no_room": "This machine had no room left to speak to it.",
    "unreachable": "The computer did not answer: it is off, not in this network, or its port is closed.",
    "timeout": "The computer did not answer in time.",
    "authentication": "The computer refused the user or the password.",
    "certificate": "The computer's certificate or host key is not the trusted one.",
    "garbled": "What answered does not speak the protocol.",
    "dropped": "The connection ended too early.",
    "refused": "The computer runs no scripts of ours.",
    "identity": "Another computer answered at this address.",
}
"""Kind of failed contact, which a session's reason begins with -> what it means."""

WAITS: Mapping[str, str] = {str(kind): phrase for kind, phrase in screens.WAITS_FOR.items()}
"""What a session waits for, after `Waits for`."""

ENDS: Mapping[str, str] = {
    EndReason.UNKNOWN: "",
    EndReason.ACTIONS: "The session came to its end.",
    EndReason.AWAY: "The computer did not answer.",
    EndReason.REFUSED: "The computer answered, but could not be worked on.",
    EndReason.LOST: "The connection to the computer was lost.",
    EndReason.STAGE: "A stage of the session could not be done.",
    EndReason.REBOOT: "A reboot failed, or did not end.",
    EndReason.CANCELLED: "Somebody stopped the session.",
    EndReason.SUPERSEDED: "A newer session took its place.",
    EndReason.EXCLUDED: "The computer is excluded from maintenance.",
    EndReason.HALTED: "The session was not begun: the run was stopped before.",
    EndReason.BUSY: "Another session was at work on the computer.",
    EndReason.PREFLIGHT: "The computer was not ready until the deadline.",
    EndReason.WINDOW: "The maintenance window closed before anything was done.",
    EndReason.HELD: "The computer is to be left as it is for now.",
    EndReason.TIME_OVER: "The session, or its run, took longer than it may.",
    EndReason.NOT_APPROVED: "What it would have done was not approved.",
    EndReason.CRASHED: "The session ended by a fault of the maintenance program.",
}
"""Why a session ended, without anything that it was about."""

ACTIONS: Mapping[str, str] = {str(kind): word for kind, word in screens.ACTIONS.items()}
"""The same words as on screens, and as in the fleet's files."""

REASONS: Mapping[str, str] = {
    Reason.SOFTWARE_MISSING: "It is not installed.",
    Reason.UPDATE_AVAILABLE: "A newer version is wanted.",
    Reason.UP_TO_DATE: "The installed version is the wanted one.",
    Reason.NOT_FOUND: "It is not there, as wanted.",
    Reason.OLDER_VERSION_REQUIRED: "An older version is wanted.",
    Reason.SOFTWARE_DETECTED: "It is installed and should not be.",
    Reason.TEST_FAILED: "It is installed, but its test says that it is broken.",
    Reason.NO_APPLICABLE_VERSION: "No release of it fits the computer and the wish.",
    Reason.IGNORED: OUTCOME_REASONS[OutcomeReason.IGNORED],
    Reason.NOT_COMPLIANT: "It is not as it should be.",
    Reason.COMPLIANT: "It is as it should be.",
    Reason.AUDIT: "Only looked at, as its deployment says.",
    Reason.MONITOR: "Its value is only read.",
    Reason.NOT_APPLICABLE: OUTCOME_REASONS[OutcomeReason.NOT_APPLICABLE],
    Reason.DETECTION_FAILED: OUTCOME_REASONS[OutcomeReason.DETECTION_FAILED],
    Reason.UNDECIDED: OUTCOME_REASONS[OutcomeReason.UNDECIDED],
    Reason.WRONG_DEFINITION: OUTCOME_REASONS[OutcomeReason.WRONG_DEFINITION],
    Reason.WAITS_FOR_SOFTWARE: "It can be looked at only when its software is there.",
    Reason.NOT_NEEDED: "Nothing that is to be done needs it.",
    Reason.CONFLICT: OUTCOME_REASONS[OutcomeReason.CONFLICT],
    Reason.OFFLINE: "The computer was off.",
    Reason.BY_HAND: "Somebody typed it.",
}

STATES: Mapping[str, str] = screens.STATES
"""Where an action without an outcome is."""


def plain(word: str) -> str:
    """Any word of the history without underscores."""
    return word.replace("_", " ")


def status_word(status: str) -> str:
    """A session's status as a label."""
    return STATUSES[status][0] if status in STATUSES else plain(status)


def status_meaning(status: str) -> str:
    """What a session's status means; empty for an unknown one."""
    return STATUSES[status][1] if status in STATUSES else ""


def session_sentence(status: str, reason: str) -> str:
    """Why a session has its status; what the status means where the history gives no reason."""
    if status == Status.WAITING and reason:
        return f"Waits for {reason}."
    return reason or status_meaning(status)


def contact_sentence(reason: str) -> str:
    """What the kind of failed contact means that a session's reason begins with; empty for other reasons."""
    return CONTACT.get(reason.partition(":")[0], "")


def counted(outcomes: Iterable[str]) -> str:
    """What became of actions, in counts: `2 done, 1 skipped`; empty without any."""
    numbers = Counter(outcomes)
    known = [name for name in (*Outcome, "unfinished") if name in numbers]
    return ", ".join(f"{numbers[name]} {outcome_word(name)}" for name in known)


def run_word(status: str) -> str:
    """A run's status as a label."""
    return screens.RUNS.get(status) or status_word(status)


def outcome_word(outcome: str) -> str:
    """An outcome, or the state of an action without one, as a label."""
    return OUTCOMES.get(outcome) or STATES.get(outcome) or plain(outcome)


def action_word(kind: str) -> str:
    """A type of action as a verb."""
    return ACTIONS.get(kind) or plain(kind)


def why_sentence(why: str, reason: str) -> str:
    """Why an action has its type: the plan's own sentence, else what the reason means."""
    return why or REASONS.get(reason) or plain(reason)


def end_sentence(outcome: str | None, reason: str | None, held: str | None, status: str) -> str:
    """How an action ended, or why it has not, as a sentence."""
    if reason == OutcomeReason.NOT_CONVERGED and outcome == Outcome.SUCCESS:
        return "Done, though the computer is not yet as it should be."
    if reason:
        return OUTCOME_REASONS.get(reason) or plain(reason)
    if held:
        return HELD.get(held) or plain(held)
    return {"planned": "Planned, not done.", "running": "It is under way.", "retry": "It will be tried again."}.get(
        status, ""
    )


def tenant_title(name: str) -> str:
    """A tenant's name as people write it: `smile_dental` is Smile Dental; capitals of the name's own stay."""
    words = re.split(r"[_\s]+", name.strip("_ "))
    return " ".join(one if one[:1].isupper() or not one.islower() else one[:1].upper() + one[1:] for one in words)


def item_title(item: str, title: str) -> str:
    """What a person calls an item; made from its id where no definition names it."""
    name, _, instance = item.partition("#")
    made = title or plain(name.rpartition("/")[2]).replace("-", " ").strip()
    made = made[:1].upper() + made[1:]
    return f"{made} ({instance})" if instance else made


def item_name(item: str, title: str) -> str:
    """An item for operators: its title and its id."""
    return f"{title} ({item})" if title and title != item else item


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 computer`, `1,214 computers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def took(seconds: float | None) -> str:
    """A length of time in its two largest units; `-` when it is not known."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for size, unit, rest, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            left = whole % size // rest
            return f"{whole // size} {unit} {left} {small}" if left else f"{whole // size} {unit}"
    return f"{whole} s"


def iso(at: float | None) -> str:
    """A moment as ISO 8601 in UTC, to the second; empty when there is none."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when(at: float | None) -> str:
    """A moment for people, in UTC; `-` when there is none."""
    if at is None:
        return "-"
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M:%S} UTC"


# Not strftime's %b, which speaks the operator's language.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
