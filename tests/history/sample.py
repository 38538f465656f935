"""A history with every kind of entry; `python -m tests.history.sample FILE` writes one of today's schema."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.runs.run_state import RunState, fold_run
from immy_nornir.decide.steps.state import State, fold
from immy_nornir.history import codec
from immy_nornir.history.store import FILE, History
from immy_nornir.model.deployments import Desired, StateKind
from immy_nornir.model.facts import Boot, Change, Facts, Finding, FindingStatus, Identity, Logon, LogonState
from immy_nornir.model.items import (
    Declarative,
    DisplayName,
    FileState,
    Item,
    ItemKind,
    Language,
    Method,
    Platform,
    RegistryValue,
    Release,
    Script,
    Scripts,
    Software,
    Task,
)
from immy_nornir.model.places import Place
from immy_nornir.model.plan import Desire, Held, Plan, PlannedAction, Reason, Request, RequestKind
from immy_nornir.model.playbooks import ActionType, Options, Reboot, Stage
from immy_nornir.model.record.entries import (
    ActionEnded,
    ApprovalDenied,
    ApprovalGiven,
    ApprovedAction,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Determined,
    Entry,
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
    Ordered,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)
from immy_nornir.model.record.question_entries import (
    LogonAwaited,
    QuestionAnswered,
    QuestionEnded,
    QuestionIntended,
    QuestionKind,
    QuestionShown,
    Said,
    UsersLooked,
    Verdict,
)
from immy_nornir.model.record.run import (
    Approved,
    Brakes,
    Pace,
    PlaySpec,
    RunEnded,
    RunEntry,
    RunHalted,
    RunLeft,
    RunSpec,
    RunStamped,
    RunTakenUp,
    WaveBegan,
    WaveEnded,
)
from immy_nornir.model.record.session import Outcome, OutcomeReason, SessionSpec, Status, WaitKind
from immy_nornir.model.values import SecretRef
from immy_nornir.model.wire import JobResult

NOW = 1_700_000_000.0


class StillClock:
    """A clock that a test moves."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


IDENTITY = Identity(
    "PC1",
    "CORP",
    "1111-2222",
    "smbios",
    Platform.WINDOWS,
    Boot("7", NOW - 9000.0),
    ("windows_update",),
    ("CORP\\ann",),
    {"os": "Windows 11 Pro", "architecture": "x64", "memory_gb": 16},
)
SOFTWARE = Software(
    "7zip",
    "7-Zip",
    Platform.WINDOWS,
    DisplayName("7-Zip *"),
    Place("tasks/software/7zip/software.yml", 1),
    releases=(Release("24.08", "https://example.com/7z.msi", "ab" * 32),),
    install=Method(script=Script("install.ps1", "'x'", Language.POWERSHELL)),
)
TASKS = (
    Task("a", "A", Platform.WINDOWS, Declarative((RegistryValue("HKLM\\a", "b", 1, "DWord"),)), Place("t.yml", 1)),
    Task("b", "B", Platform.LINUX, Declarative((FileState("/etc/motd", "hi\n"),)), Place("t.yml", 1)),
    Task("c", "C", Platform.WINDOWS, Scripts(test=Script("t.ps1", "$true", Language.POWERSHELL)), Place("t.yml", 1)),
)
DIGEST = codec.fingerprint(SOFTWARE)
DEFINITIONS: dict[str, Item] = {codec.fingerprint(one): one for one in (SOFTWARE, *TASKS)}
ACTION = PlannedAction(
    "software/7zip",
    "software/7zip",
    "",
    ItemKind.SOFTWARE,
    ActionType.INSTALL,
    Reason.SOFTWARE_MISSING,
    "missing",
    DIGEST,
    "latest",
    "",
    "24.08",
    SOFTWARE.releases[0],
)
LEFT = PlannedAction(
    "task/a#one",
    "task/a",
    "one",
    ItemKind.TASK,
    ActionType.ENFORCE,
    Reason.NOT_COMPLIANT,
    "b: 0 -> 1",
    codec.fingerprint(TASKS[0]),
    "enforce",
    held=Held.NOT_THIS_TYPE,
    held_why="left for full",
    params={"password": SecretRef("env:X"), "list": [1, {"two": None}]},
    changes=(Change("b", 0, 1),),
    requested_by=(Request(RequestKind.CONFIGURATION, "software/7zip"),),
)
DESIRES = (
    Desire("software/7zip", definition=DIGEST, desired=Desired(StateKind.LATEST), deployment="d.yml:3"),
    Desire(
        "task/a", "one", ItemKind.TASK, codec.fingerprint(TASKS[0]), params=LEFT.params, requested_by=LEFT.requested_by
    ),
)
FOUND = Finding("software/7zip", "", FindingStatus.FOUND, "24.08")
JOB = "run-1/software-7zip/1"

# Every kind of entry at least once, in an order that a session could have.
ENTRIES: tuple[Entry, ...] = (
    Resumed("machine-1", 1),
    ContactLost("unreachable", "no route", "connect"),
    Connected(IDENTITY),
    Resolved(DESIRES),
    FactsCollected(Facts({"hardware": {"cores": 4}, "software": []}, {"hardware": NOW, "software": NOW}), ("x: y",)),
    Detected((Finding("software/7zip", "", FindingStatus.NOT_FOUND),)),
    Planned(Plan((ACTION, LEFT), (("software/7zip",),), 1)),
    Waiting(WaitKind.WINDOW, NOW + 60.0, "window after_hours", deferred=True),
    Determined(ACTION),
    JobIntended(JOB, ("software/7zip",), 1, 0, IDENTITY.boot),
    JobSeen(JOB, "half of the", 11),
    PauseAsked(Ordered(1, "ann@desk", "a call"), NOW + 600.0),
    PauseLifted(Ordered(2, "ann@desk")),
    PauseAsked(Ordered(3, "ann@desk")),
    PauseLifted(),
    RebootOrdered(Ordered(4, "ann@desk", "it is slow"), True),
    JobStopAsked(JOB),
    Interrupted("its process ended"),
    Resumed("machine-2", 2),
    ContactBack(IDENTITY),
    JobEnded(JOB, JobResult(1618, "", 1.5), " output"),
    RetryLater("software/7zip", NOW + 60.0, "exit code 1618"),
    JobIntended("run-1/software-7zip/2", ("software/7zip",), 2, 0, IDENTITY.boot),
    JobWithdrawn("run-1/software-7zip/2", "it was held back before the computer was asked for it"),
    JobIntended("run-1/software-7zip/2", ("software/7zip",), 2, 0, IDENTITY.boot),
    JobEnded("run-1/software-7zip/2", None, "", "lost"),
    PendingFound(("file_rename",)),
    ActionEnded("software/7zip", Outcome.SUCCESS, OutcomeReason.VERIFIED, "", "24.08", FOUND, True),
    UsersLooked((Logon("CORP\\ann", LogonState.ACTIVE), Logon("bob", LogonState.LOCKED, False))),
    LogonAwaited("CORP\\bob", NOW + 3600.0),
    QuestionIntended(1, QuestionKind.CONSENT, "what was done needs it", ("CORP\\ann",), 900.0, (15, 60)),
    QuestionShown(1, ("bob: no desktop",)),
    QuestionAnswered(1, "CORP\\ann", Said.LATER, 15),
    QuestionEnded(1, Verdict.POSTPONED, "CORP\\ann put it off", NOW + 900.0),
    QuestionEnded(2, Verdict.AGREED, "CORP\\ann agreed", by_user=True),
    RebootIntended(1, "what was done needs it", IDENTITY.boot),
    RebootAsked(1),
    RebootEnded(1, replace(IDENTITY, boot=Boot("8", NOW))),
    Verified((FOUND,), ("task/a: new work",)),
    Noted("a note"),
    RebootInherited("run-0", IDENTITY.boot),
    ApprovalGiven("the operator", (ApprovedAction("software/a", ActionType.UPDATE, "1.2"),), True),
    ApprovalDenied("it would do 6 actions in all, and --max-changes is 5"),
    Outdated("detected 5.0 hours ago"),
    WindowClosed("window 2030-01-01T00:00 closed"),
    TimeOver("its time is over: it has run for 1440 minutes (session_timeout_minutes)"),
    ReadyLooked(()),
    NotReady("not ready within 8 hours: task/on_battery"),
    StopAsked("cancel", "cancelled by somebody"),
    CancelAsked(Ordered(5, "ann@desk", "the wrong day"), True),
    StageFailed(Stage.VERIFY, "a reason"),
    Refused("identity", "another computer"),
    Finished(Status.CANCELLED, "cancelled"),
)


def spec(number: int = 1, computer: str = "pc1") -> SessionSpec:
    """One session's spec."""
    options = Options(reboot=Reboot.AUTOMATIC, origins={"reboot": "play full.yml:3:1"})
    return SessionSpec(
        f"run-{number}", "run", computer, "acme", BUILT_IN_TYPES["full"], options, vars={"a": [1, "b"]}, created_at=NOW
    )


def fill(
    history: History,
    entries: tuple[Entry, ...] = ENTRIES,
    number: int = 1,
    computer: str = "pc1",
    *,
    stored: bool = False,
) -> State:
    """Write one session with these entries; its state."""
    one = spec(number, computer)
    if not stored:
        history.create_sessions([one])
    history.claim(one.computer, one.id)
    history.keep_definitions(DEFINITIONS)
    state = State(one, DEFINITIONS)
    for entry in entries:
        stamped = Stamped(state.entries + 1, NOW + state.entries, entry)
        state = fold(state, stamped)
        history.append(state, stamped, durable=isinstance(entry, JobIntended | RebootIntended))
    return state


RUN = RunSpec(
    "run",
    "immy run playbooks/full.yml",
    "playbooks/full.yml",
    "fleet",
    "abc",
    "ann",
    "desk",
    (PlaySpec("all", (("run-1",),), 20.0),),
    {"reboot": "automatic"},
    pace=Pace(8),
    brakes=Brakes(max_reboots=3),
)
RUN_ENTRIES: tuple[RunEntry, ...] = (
    Approved("--yes", 3, 1),
    WaveBegan(0, 0),
    RunLeft("stopped by the operator"),
    RunTakenUp("machine-2"),
    WaveEnded(0, 0, 1, 1),
    RunHalted(None, "1 of 1 computer of a wave failed"),
    RunEnded(),
)


def fill_run(history: History, entries: tuple[RunEntry, ...] = RUN_ENTRIES) -> RunState:
    """Write one run with its session's row and these entries; its state."""
    history.begin_run(RUN, [spec()])
    state = RunState(RUN)
    for entry in entries:
        stamped = RunStamped(state.entries + 1, NOW + state.entries, entry)
        state = fold_run(state, stamped)
        history.append_run(state, stamped)
    return state


def main(target: Path) -> None:
    """Write a database of today's schema."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), StillClock())
        history.owner = "sample"
        fill_run(history)
        fill(history, stored=True)
        history.close()
        import sqlite3

        connection = sqlite3.connect(Path(folder) / FILE)
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("UPDATE sessions SET owner='sample'")
        connection.commit()
        connection.close()
        shutil.copy(Path(folder) / FILE, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
