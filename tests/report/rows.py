"""Rows as the history gives them: a run with every status and every outcome, and as many computers as wanted."""

from __future__ import annotations

import dataclasses
from typing import Any

from immy_nornir.history.queries import ActionRow, JobRow, RunRow, SessionRow
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status

BEGIN = 1_795_411_200.0
"""2026-11-23 05:20:00 UTC."""

RUN = RunRow(
    "1nr9p2gq4x",
    BEGIN,
    BEGIN + 3725,
    "immy run playbooks/monthly.yml --limit tenants",
    "monthly.yml",
    "fleet",
    "7c5e2f8a91b04d3e6f7788990011223344556677",
    "kim",
    "workbench",
    "ended",
    "",
)


def run(**changes: Any) -> RunRow:
    """The run, with changes."""
    return dataclasses.replace(RUN, **changes)


_ACTION = ActionRow(
    id="software/7-zip",
    item="software/7-zip",
    type="install",
    reason="software_missing",
    why="missing; latest is 24.09",
    desired="latest",
    found="",
    version="24.09",
    deployment="inventory/deployments.yml:4",
    held=None,
    planned_phase=0,
    phase=0,
    attempts=1,
    status="ended",
    outcome="success",
    outcome_reason="verified",
    message="",
    after="24.09",
    reboot_owed=False,
    began_at=BEGIN + 30,
    ended_at=BEGIN + 72.5,
)


def action(name: str, **changes: Any) -> ActionRow:
    """An action that installed something, with changes."""
    return dataclasses.replace(_ACTION, id=name, item=name.partition("#")[0], **changes)


def quiet(name: str, why: str = "already 3.0.20") -> ActionRow:
    """An action with nothing to do."""
    return action(
        name,
        type="none",
        reason="up_to_date",
        why=why,
        found="3.0.20",
        version=None,
        phase=None,
        attempts=0,
        outcome="nothing",
        outcome_reason="already_so",
        after="",
        began_at=None,
        ended_at=BEGIN + 20,
    )


def session(computer: str, status: Status = Status.PASSED, reason: str = "", **changes: Any) -> SessionRow:
    """A session, ended where its status says so."""
    open_ = status in (Status.CREATED, Status.RUNNING, Status.WAITING)
    begun = status is not Status.CREATED
    row = SessionRow(
        id=f"{RUN.id}-{computer}",
        run_id=RUN.id,
        computer=computer,
        tenant="contoso",
        type="full",
        play="Monthly maintenance",
        status=status,
        reason=reason,
        stage="execute" if open_ else "report",
        waiting="",
        created_at=BEGIN + 1,
        started_at=BEGIN + 2 if begun else None,
        ended_at=None if open_ or status is Status.INTERRUPTED else BEGIN + 302,
        owner="workbench-4711",
        reboots=0,
    )
    return dataclasses.replace(row, **changes)


FAILED_OUTPUT = (
    "MSI (s) (A4:10) [05:21:07]: Product: Contoso VPN -- Error 1316.\r\n"
    "\x1b[31mThe specified account already exists.\x1b[0m\r\n"
    "Installation success or error status: 1603.\r\n"
)


def every_status() -> tuple[list[SessionRow], dict[str, list[JobRow]]]:
    """One session of each status and one action of each outcome and reason, with the jobs of what failed."""
    sessions = [
        session("pc2", actions=(action("software/7-zip"), quiet("software/vlc"), quiet("task/power", "already so"))),
        session("pc10", Status.FAILED, "1 failed, 1 skipped (software/vpn: exit code 1603)", actions=failing()),
        session(
            "srv1",
            Status.PARTIALLY_PASSED,
            "2 done, 1 skipped",
            tenant="fabrikam",
            reboots=1,
            actions=_rebooting(),
            reboot_reasons=(("software/dotnet needs it before going on", "rebooted"),),
        ),
        session("nb7", Status.MISSED, "unreachable: no route to the computer", tenant="fabrikam", stage="connect"),
        session("nb8", Status.INTERRUPTED, "its process ended without a word", tenant="fabrikam"),
        session("nb9", Status.CANCELLED, "cancelled by kim", tenant="fabrikam", actions=_cancelled()),
        session("nb10", Status.SUPERSEDED, "session r-12 takes its place", tenant="fabrikam"),
        session("nb11", Status.RUNNING, actions=_under_way()),
        session("nb12", Status.WAITING, "window 18:00", waiting="window: window 18:00"),
        session("nb13", Status.CREATED),
        session("every-reason", Status.PARTIALLY_PASSED, "of everything something", actions=_every_end()),
    ]
    jobs = {f"{RUN.id}-pc10": [job(1, 1603, FAILED_OUTPUT), job(2, None, "")]}
    return sessions, jobs


def job(attempt: int, code: int | None, output: str, action_id: str = "software/vpn") -> JobRow:
    """A job of the computer pc10, lost where it has no exit code."""
    return JobRow(
        f"{RUN.id}-pc10/software-vpn/{attempt}",
        action_id,
        attempt,
        0,
        "finished" if code is not None else "lost",
        code,
        "" if code is not None else "the computer went down",
        41.5 if code is not None else None,
        output,
        BEGIN + 60,
        BEGIN + 101.5,
    )


def failing() -> tuple[ActionRow, ...]:
    """Software that failed, and its configuration, which was skipped for that."""
    return (
        action(
            "software/vpn",
            outcome="failed",
            outcome_reason="exit_code",
            message="exit code 1603: fatal error during installation",
            after="",
            attempts=2,
        ),
        action(
            "task/vpn-profile",
            type="undetermined",
            outcome="skipped",
            outcome_reason="dependency",
            message="software/vpn failed: exit code 1603",
            after="",
            phase=None,
            attempts=0,
        ),
        quiet("software/vlc"),
    )


def _rebooting() -> tuple[ActionRow, ...]:
    return (
        action("software/dotnet", type="update", found="8.0.1", after="8.0.11", version="8.0.11"),
        action("software/agent", planned_phase=1, phase=2, outcome_reason="reboot_pending", reboot_owed=True),
        action("task/firewall", outcome="skipped", outcome_reason="reboots_skipped", held="reboot_skipped", phase=None),
    )


def _cancelled() -> tuple[ActionRow, ...]:
    return (action("software/7-zip", outcome="cancelled", outcome_reason="cancelled", phase=None, attempts=0),)


def _under_way() -> tuple[ActionRow, ...]:
    nothing: dict[str, Any] = {"outcome": None, "outcome_reason": None, "after": "", "ended_at": None}
    return (
        action("software/7-zip", status="running", **nothing),
        action("software/office", status="retry", message="another installation is running", **nothing),
        action("software/zoom", status="planned", phase=None, attempts=0, began_at=None, **nothing),
    )


_ENDS: dict[Outcome, tuple[OutcomeReason, ...]] = {
    Outcome.SUCCESS: (OutcomeReason.VERIFIED, OutcomeReason.REBOOT_PENDING, OutcomeReason.MONITOR),
    Outcome.FAILED: (
        OutcomeReason.EXIT_CODE,
        OutcomeReason.NOT_CONVERGED,
        OutcomeReason.DEADLINE,
        OutcomeReason.IN_DOUBT,
        OutcomeReason.DETECTION_FAILED,
        OutcomeReason.CONFLICT,
        OutcomeReason.NO_METHOD,
        OutcomeReason.COULD_NOT_START,
        OutcomeReason.RETRIES,
        OutcomeReason.WRONG_DEFINITION,
    ),
    Outcome.UNKNOWN: (OutcomeReason.DETECTION_FAILED, OutcomeReason.UNDECIDED),
    Outcome.SKIPPED: (
        OutcomeReason.REBOOTS_SKIPPED,
        OutcomeReason.DEPENDENCY,
        OutcomeReason.STOPPED,
        OutcomeReason.USER_CONTEXT,
        OutcomeReason.REBOOT_FAILED,
    ),
    Outcome.CANCELLED: (OutcomeReason.CANCELLED,),
    Outcome.NOT_COMPLIANT: (OutcomeReason.AUDIT,),
    Outcome.LEFT: (OutcomeReason.NOT_THIS_TYPE,),
    Outcome.NOTHING: (OutcomeReason.ALREADY_SO, OutcomeReason.IGNORED, OutcomeReason.NOT_APPLICABLE),
}


def _every_end() -> tuple[ActionRow, ...]:
    return tuple(
        action(
            f"task/{reason if outcome is not Outcome.UNKNOWN else f'not_known_{reason}'}",
            type="enforce",
            outcome=outcome.value,
            outcome_reason=reason.value,
        )
        for outcome, reasons in _ENDS.items()
        for reason in reasons
    )


def many(number: int, actions: int = 12) -> list[SessionRow]:
    """A large run: a few tenants, one in fifty failed, most actions with nothing to do."""
    calm = tuple(quiet(f"software/item-{one}") for one in range(actions - 2))
    good = (action("software/7-zip"), action("software/vlc", type="update", found="3.0.18"), *calm)
    bad = (*failing(), *calm)
    return [
        session(f"pc{one}", tenant=f"tenant-{one % 25}", actions=good, reason="2 done, 10 nothing to do")
        if one % 50
        else session(f"pc{one}", Status.FAILED, "1 failed, 1 skipped", tenant=f"tenant-{one % 25}", actions=bad)
        for one in range(number)
    ]
