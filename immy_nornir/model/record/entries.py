"""The entries of a session's record, that everything else is folded from: decisions, intents, results. Values only.

`decide.steps.state` folds entries into a `State`; `history` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.facts import Boot, Facts, Finding, Identity
from immy_nornir.model.plan import Desire, Outlook, Plan, PlannedAction
from immy_nornir.model.playbooks import ActionType, Stage
from immy_nornir.model.record.order_entries import (
    CancelAsked,
    JobStopAsked,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)
from immy_nornir.model.record.question_entries import (
    LogonAwaited,
    QuestionAnswered,
    QuestionEnded,
    QuestionIntended,
    QuestionShown,
    UsersLooked,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Purpose, Status, WaitKind
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobResult


@dataclass(frozen=True, slots=True)
class Resumed:
    """Somebody (again) owns the session: another leg begins."""

    owner: str
    epoch: int
    after: str = ""
    """Another session of the computer, that has ended since this one looked at it last."""
    anew: bool = False
    """Another run takes it up: what was approved in the one before, and has not begun, is asked about again."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The computer answered and is who it should be."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Refused:
    """The session cannot go on with this computer: wrong identity, wrong password, garbage; `kind` is the outcome."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class ContactLost:
    """The connection failed or ended; what was under way is asked for again when the computer answers."""

    kind: str
    message: str
    doing: str = ""
    passing: bool = False
    """The failure is of a moment: also a computer that never answered is asked again a few times."""


@dataclass(frozen=True, slots=True)
class ContactBack:
    """The computer answers again."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Resolved:
    """The winning deployments, pinned, with everything they ask for."""

    desires: tuple[Desire, ...]
    facts: Mapping[str, Json] = field(default_factory=dict)
    """The facts that were read to come to them, and no others: with these the files can be asked again."""


@dataclass(frozen=True, slots=True)
class FactsCollected:
    """Facts by section."""

    facts: Facts
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detected:
    """What detection found, one finding for each desire that was looked at."""

    findings: tuple[Finding, ...]
    noise: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan."""

    plan: Plan
    outlook: Outlook | None = None
    """None: nobody knows how long such work takes."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """What was detected may not be so any more: it is detected and planned again before anything is done."""

    why: str


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """The session's window is over and not waited for again, or its computer is held: nothing new begins any more."""

    message: str
    why: OutcomeReason = OutcomeReason.WINDOW


@dataclass(frozen=True, slots=True)
class TimeOver:
    """The session, or its run, has taken as long as it may: nothing new begins any more but what always runs."""

    message: str


@dataclass(frozen=True, slots=True)
class ReadyLooked:
    """Whether the computer is ready was looked at once more: a finding for each preflight."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class NotReady:
    """The computer was not ready until the deadline: nothing begins any more."""

    message: str


@dataclass(frozen=True, slots=True)
class RebootInherited:
    """A session whose place this one takes owed the computer a reboot."""

    session: str
    boot: Boot
    """The boot to which it is owed."""


@dataclass(frozen=True, slots=True)
class ApprovedAction:
    """What of an action was approved."""

    id: str
    type: ActionType
    version: str = ""
    """That will be there afterwards."""


@dataclass(frozen=True, slots=True)
class ApprovalGiven:
    """Somebody said that the session may do this, beside what was approved before."""

    by: str
    actions: tuple[ApprovedAction, ...] = ()
    reboots: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalDenied:
    """Somebody, or a brake of its run, said no: what was not approved before is not done."""

    why: str


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage could not be done; the session ends as failed."""

    stage: Stage
    message: str
    reason: EndReason = EndReason.STAGE


@dataclass(frozen=True, slots=True)
class Determined:
    """An undetermined action found out what it is."""

    action: PlannedAction


@dataclass(frozen=True, slots=True)
class JobIntended:
    """From here on the job may exist on the computer. Durable before the job is started."""

    job_id: str
    actions: tuple[str, ...]
    """The actions that it serves; a job may serve several, or none."""
    attempt: int = 1
    step: int = 0
    boot: Boot = field(default_factory=Boot)
    purpose: Purpose = Purpose.ACT


@dataclass(frozen=True, slots=True)
class JobSeen:
    """The spool said that the job is starting or running; `offset` is how far its output was read."""

    job_id: str
    """Empty in records of old: the job that was under way."""
    output: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The job left a result, or is lost (`result` None: in doubt)."""

    job_id: str
    """Empty in records of old: the job that was under way."""
    result: JobResult | None
    output: str = ""
    message: str = ""
    unknown: bool = False
    """The computer knows nothing of it: as far as it can tell, it never began."""


@dataclass(frozen=True, slots=True)
class JobWithdrawn:
    """The job was never asked for, and is not wanted now: it is as if it had not been intended."""

    job_id: str
    message: str


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action's end, after its item was detected again where anything was done."""

    action_id: str
    outcome: Outcome
    reason: OutcomeReason
    message: str = ""
    found: str = ""
    finding: Finding | None = None
    reboot_owed: bool = False
    """Done, and a reboot is still needed for it."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The attempt ended with a code that says 'try again' (1618), or in doubt and still needed."""

    action_id: str
    at: float
    message: str


@dataclass(frozen=True, slots=True)
class RebootIntended:
    """From here on the computer may go down. Durable before the reboot is asked for."""

    number: int
    why: str
    boot: Boot
    by_itself: bool = False
    """The installer said that it has started the reboot (1641)."""


@dataclass(frozen=True, slots=True)
class RebootAsked:
    """The computer took the request."""

    number: int


@dataclass(frozen=True, slots=True)
class RebootEnded:
    """The computer is back in another boot, or is not (`identity` None)."""

    number: int
    identity: Identity | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class PendingFound:
    """What the computer says of pending reboots now."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The session parks."""

    kind: WaitKind
    until: float
    about: str
    deferred: bool = False
    """No run or wave is held for it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Everything was detected again and planned against the pinned desires."""

    findings: tuple[Finding, ...]
    not_converged: tuple[str, ...] = ()
    """Sentences about work that is still, or newly, there."""


CANCEL = "cancel"
SUPERSEDE = "supersede"


@dataclass(frozen=True, slots=True)
class StopAsked:
    """No new action starts: `cancel` (after the current action), `supersede` (nor a later job of the current one)."""

    kind: str
    message: str
    by: str = ""
    """The session that takes its place, where one does."""


WEAK_SECRET = "a secret of this session is short or a common word: it is masked only as a whole word"  # noqa: S105 - about one


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth reading in the log; folds to nothing."""

    message: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The leg ended before the session did; it can be resumed."""

    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The session's one end."""

    status: Status
    message: str
    reason: EndReason = EndReason.UNKNOWN


Entry = (
    Resumed
    | Connected
    | Refused
    | ContactLost
    | ContactBack
    | Resolved
    | FactsCollected
    | Detected
    | Planned
    | Outdated
    | WindowClosed
    | TimeOver
    | ReadyLooked
    | NotReady
    | RebootInherited
    | ApprovalGiven
    | ApprovalDenied
    | StageFailed
    | Determined
    | JobIntended
    | JobSeen
    | JobEnded
    | JobWithdrawn
    | ActionEnded
    | RetryLater
    | RebootIntended
    | RebootAsked
    | RebootEnded
    | PendingFound
    | Waiting
    | Verified
    | StopAsked
    | CancelAsked
    | PauseAsked
    | PauseLifted
    | RebootOrdered
    | JobStopAsked
    | UsersLooked
    | LogonAwaited
    | QuestionIntended
    | QuestionShown
    | QuestionAnswered
    | QuestionEnded
    | Noted
    | Interrupted
    | Finished
)


@dataclass(frozen=True, slots=True)
class Stamped:
    """An entry with its number in the session and its time (seconds since 1970)."""

    seq: int
    at: float
    entry: Entry
