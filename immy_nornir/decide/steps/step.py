"""The kinds of step that a session's decisions come to: an operation, a wait, a note, the end; values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.model.control.limits import Slot
from immy_nornir.model.record.entries import Entry
from immy_nornir.model.record.session import EndReason, Status, WaitKind


class Do(StrEnum):
    """Operations of a session; `session/operations.py` performs them."""

    CONNECT = "connect"
    RESOLVE = "resolve"
    COLLECT_FACTS = "collect_facts"
    DETECT = "detect"
    MAKE_PLAN = "make_plan"
    DETERMINE = "determine"
    START_JOB = "start_job"
    POLL_JOB = "poll_job"
    STOP_JOB = "stop_job"
    VERIFY_ACTION = "verify_action"
    ASK_REBOOT = "ask_reboot"
    CHECK_BOOT = "check_boot"
    LOOK_READY = "look_ready"
    LOOK_USERS = "look_users"
    SHOW_QUESTION = "show_question"
    HEAR_ANSWERS = "hear_answers"
    CLOSE_QUESTION = "close_question"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Perform:
    """Do something with the computer; `action_id` where it is about one action."""

    do: Do
    action_id: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Park until a time (seconds since 1970) or until the runner sees that it is worth looking."""

    kind: WaitKind
    until: float
    about: str
    deferred: bool = False
    """The run need not stay for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A decision that only has to be written down; `durable` when an effect follows from it."""

    entry: Entry
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Take all of these slots of limits in one go, or be told for what to wait; it needs no contact."""

    slots: tuple[Slot, ...] = ()
    after: tuple[str, ...] = ()
    """Groups whose sessions have to be done."""
    by_force: bool = False
    """It is used already: nobody is asked."""
    connect: bool = False
    """A turn to open a connection."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The session's end."""

    status: Status
    message: str
    reason: EndReason


Step = Perform | Take | Wait | Note | Finish
