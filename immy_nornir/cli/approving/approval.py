"""Who approves what sessions plan: for `run`, and for what is taken up again; how it is asked is `answers`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import startup
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError
from immy_nornir.model.record.run import Approved, Brakes
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from immy_nornir.decide.steps.moment import Approver
    from immy_nornir.session.approving.approvals import Account
    from immy_nornir.session.before.preview import Preview
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.runs import LiveRun


def approve(preview: Preview, *, yes: bool, quiet: bool = False) -> Approved | None:
    """What is approved before anything is looked at: all of it by `--yes`; else it is asked about when it is planned.

    Raises: UsageError where nobody can be asked.
    """
    if not preview.changes and not preview.reboots:
        return None
    if not (yes and quiet):
        say(f"This run changes: {preview}.", err=True)
    if yes:
        return Approved("--yes", preview.changes, preview.reboots)
    _need_somebody()
    say("Nothing is changed before you have seen the plan and said yes.", err=True)
    return None


def approver_of(*, yes: bool, brakes: Brakes) -> Approver:
    """Who says that a session may do what it plans."""
    from immy_nornir.decide.steps.moment import Approver
    from immy_nornir.session.approving.beforehand import approver_beforehand

    if yes:
        return approver_beforehand(brakes)
    return Approver.PERSON if startup.is_terminal() else Approver.ABSENT


def one_each(accounts: Iterable[Account]) -> list[Account]:
    """One account for each run: its sessions in waves and those that go on by themselves count together."""
    found: dict[str, Account] = {}
    for one in accounts:
        known = found.get(one.run)
        found[one.run] = one if known is None else replace(known, lives=[*known.lives, *one.lives])
    return list(found.values())


# --- what is taken up again -----------------------------------------------------------------------------------


def approve_rest(engine: Engine, run: LiveRun, *, yes: bool) -> None:
    """Say who approves the rest of a run that was left: nobody has to where `--yes` has, and it would not do more.

    Raises: UsageError where somebody would have to be asked, nobody can be, and nothing that was approved is left.
    """
    from immy_nornir.session.approving.beforehand import more_than_approved

    lives = _acting(run.sessions.values())
    more = "" if yes else more_than_approved(engine, run, lives)
    if more:
        say(f"Run {run.state.spec.id} {more}.", err=True)
    asking = _set_approvers(engine, lives, run.state.spec.brakes, covered=more == "", yes=yes)
    _tell_changed(engine, lives, yes=yes)
    if asking:
        _refuse_unapproved(engine, lives)


def approve_alone(engine: Engine, lives: Sequence[LiveSession], *, yes: bool) -> list[Account]:
    """Say who approves what sessions do that go on by themselves; the accounts of their runs.

    Raises: as `approve_rest`.
    """
    from immy_nornir.session.approving.approvals import Account
    from immy_nornir.session.approving.beforehand import was_approved
    from immy_nornir.session.taking.taking_up import newest_runs

    acting = _acting(lives)
    accounts = []
    uncovered: list[LiveSession] = []
    for spec, run_id, ours in newest_runs(engine, acting):
        brakes = Brakes() if spec is None else spec.brakes
        covered = yes or was_approved(engine, run_id)
        uncovered += _set_approvers(engine, ours, brakes, covered=covered, yes=yes)
        accounts.append(Account(run_id, brakes, ours, () if spec is None else spec.sessions))
    _tell_changed(engine, acting, yes=yes)
    if uncovered and len(uncovered) == len(acting):
        _refuse_unapproved(engine, uncovered)
    return accounts


def _set_approvers(
    engine: Engine, lives: Sequence[LiveSession], brakes: Brakes, *, covered: bool, yes: bool
) -> list[LiveSession]:
    """Say who approves; the sessions that nobody has approved: those too that somebody was to be asked about."""
    from immy_nornir.session.approving.beforehand import set_approver

    asking: list[LiveSession] = []
    approved: list[LiveSession] = []
    for live in lives:
        (approved if yes or (covered and not live.state.asked) else asking).append(live)
    set_approver(engine, approved, approver_of(yes=True, brakes=brakes))
    set_approver(engine, asking, approver_of(yes=False, brakes=brakes))
    return asking


def _acting(lives: Iterable[LiveSession]) -> list[LiveSession]:
    return [live for live in lives if live.spec.type.executes and not live.spec.check and not live.rests]


def _tell_changed(engine: Engine, lives: Iterable[LiveSession], *, yes: bool) -> None:
    """Tell of sessions that will be planned anew, because the files say otherwise now than when they were planned."""
    from immy_nornir.session.before.preview import preview

    anew, as_they_were = [], False
    for live in lives:
        why, today = live.compared()
        if why and today is not None and live.state.stop is None:
            anew.append(today)
        as_they_were = as_they_were or not why
    planned = preview(engine, anew)
    if not planned.changes and not planned.reboots:
        return
    say(f"The files have changed: {counted(len(anew), 'session')} will be planned anew: {planned}.", err=True)
    if not yes and not as_they_were:
        _need_somebody()


def _refuse_unapproved(engine: Engine, lives: Sequence[LiveSession]) -> None:
    """Where nobody can be asked and nothing that was approved is left, refuse: it would only be looked at."""
    from immy_nornir.decide.steps.holding import approval
    from immy_nornir.session.before.preview import preview

    states = [live.state for live in lives if live.state.stop is None and not live.state.denied]
    if any(state.job is not None or state.reboot is not None or approval.promised(state) for state in states):
        return
    unplanned = preview(engine, [live.spec for live in lives if live.state.plan is None])
    if unplanned.changes or unplanned.reboots or any(approval.wanted(state) for state in states):
        _need_somebody()


def _need_somebody() -> None:
    if not startup.is_terminal():
        command = click.get_current_context().command
        plans = any(one.name == "check" for one in command.params)
        raise UsageError(
            "it changes computers, and nobody is here to be asked",
            "add --yes, or --check to only plan" if plans else "add --yes",
        )
