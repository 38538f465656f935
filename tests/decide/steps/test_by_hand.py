"""Commands by hand: begun once, judged by their exit code alone; and what a rerun of failures is about."""

from __future__ import annotations

import dataclasses

import pytest

from immy_nornir.decide.plan.commands import COMMAND, COMMAND_TYPE, command_plan, command_step, line_of
from immy_nornir.decide.plan.users import NOBODY
from immy_nornir.decide.runs.left_undone import left_undone
from immy_nornir.decide.steps import by_hand
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.under_way import ActionState, Job
from immy_nornir.model.facts import Identity
from immy_nornir.model.items import Context, ItemKind, Platform
from immy_nornir.model.plan import Held, PlannedAction, Reason, Request, RequestKind
from immy_nornir.model.playbooks import ActionType, Options, UserContext
from immy_nornir.model.record.entries import ActionEnded, Verified
from immy_nornir.model.record.session import ByHand, Outcome, OutcomeReason, Purpose, SessionSpec
from immy_nornir.model.wire import JobResult

PC = {one: Identity("pc", platform=one) for one in Platform}


def _ended(platform: Platform, result: JobResult | None) -> ActionEnded:
    hand = ByHand(("x",))
    job = Job("s/command/1", Purpose.BY_HAND, (COMMAND,), over=True, result=result)
    [action] = command_plan(hand, Options(), PC[platform], NOBODY).actions
    one = ActionState(action, attempt=1, job=job)
    state = State(SessionSpec("s", "r", "pc", type=COMMAND_TYPE, by_hand=hand), identity=PC[platform])
    return by_hand.ended(dataclasses.replace(state, actions={COMMAND: one}, job=job), one, job)


@pytest.mark.parametrize(
    ("platform", "result", "outcome", "reason", "message"),
    [
        (Platform.LINUX, JobResult(0), Outcome.SUCCESS, OutcomeReason.RAN, ""),
        (Platform.LINUX, JobResult(1618), Outcome.FAILED, OutcomeReason.EXIT_CODE, "exit code 1618"),
        (Platform.LINUX, JobResult(3010), Outcome.FAILED, OutcomeReason.EXIT_CODE, "exit code 3010"),
        (Platform.WINDOWS, JobResult(1618), Outcome.FAILED, OutcomeReason.EXIT_CODE, "exit code 1618"),
        (Platform.WINDOWS, JobResult(1707), Outcome.SUCCESS, OutcomeReason.RAN, "exit code 1707"),
        (Platform.WINDOWS, JobResult(3010), Outcome.SUCCESS, OutcomeReason.RAN, "exit code 3010; it asks for a reboot"),
        (Platform.WINDOWS, JobResult(1, "no disk"), Outcome.FAILED, OutcomeReason.EXIT_CODE, "exit code 1: no disk"),
        (Platform.LINUX, JobResult(None, "deadline"), Outcome.FAILED, OutcomeReason.DEADLINE, "ended by its deadline"),
        (Platform.LINUX, JobResult(None, "no"), Outcome.FAILED, OutcomeReason.COULD_NOT_START, "no"),
        (Platform.WINDOWS, None, Outcome.FAILED, OutcomeReason.IN_DOUBT, by_hand.IN_DOUBT),
    ],
)
def test_a_command_ends_by_its_exit_code(
    platform: Platform, result: JobResult | None, outcome: Outcome, reason: OutcomeReason, message: str
) -> None:
    ended = _ended(platform, result)
    assert (ended.outcome, ended.reason, ended.message) == (outcome, reason, message)


@pytest.mark.parametrize(
    ("hand", "platform", "held"),
    [
        (ByHand(("x",)), Platform.WINDOWS, None),
        (ByHand(("x",), shell="cmd"), Platform.WINDOWS, None),
        (ByHand(("x",), shell="cmd"), Platform.MACOS, Held.NO_METHOD),
        (ByHand(("x",), shell="sh"), Platform.WINDOWS, Held.NO_METHOD),
        (ByHand((), "x", "a.ps1"), Platform.LINUX, Held.NO_METHOD),
        (ByHand((), "x", "a.sh"), Platform.WINDOWS, Held.NO_METHOD),
        (ByHand((), "x", "a"), Platform.WINDOWS, None),
        (ByHand(("x",), context=Context.USER), Platform.WINDOWS, Held.USER_CONTEXT),
    ],
)
def test_what_a_computer_cannot_run_is_held(hand: ByHand, platform: Platform, held: Held | None) -> None:
    plan = command_plan(hand, Options(user_context=UserContext.CURRENT_USER), PC[platform], NOBODY)
    assert [one.held for one in plan.actions] == [held]
    assert bool(plan.phases) == (held is None)


def test_words_travel_as_they_are() -> None:
    hand = ByHand(("a b", "$x", "it's"))
    assert command_step(hand, Platform.LINUX).work["words"] == ["a b", "$x", "it's"]
    assert line_of(hand) == "'a b' '$x' 'it'\"'\"'s'"
    assert line_of(ByHand(("df -h | tail",))) == "df -h | tail"
    assert line_of(ByHand(("-x",), "echo", "a.sh")) == "a.sh -x"


def _action(
    name: str, outcome: Outcome | None, reason: OutcomeReason = OutcomeReason.VERIFIED, by: str = ""
) -> ActionState:
    requests = (Request(RequestKind.PREREQUISITE, by),) if by else ()
    kind, deployment = ItemKind.SOFTWARE, "" if by else "all.yml:1"
    plan = PlannedAction(
        name,
        name,
        "",
        kind,
        ActionType.INSTALL,
        Reason.SOFTWARE_MISSING,
        "",
        requested_by=requests,
        deployment=deployment,
    )
    return ActionState(plan, ended=None if outcome is None else ActionEnded(name, outcome, reason))


def test_what_failed_was_held_up_or_is_not_so_is_left_undone() -> None:
    actions = [
        _action("software/good", Outcome.SUCCESS),
        _action("software/bad", Outcome.FAILED),
        _action("software/held", Outcome.SKIPPED, OutcomeReason.DEPENDENCY),
        _action("software/on_purpose", Outcome.SKIPPED, OutcomeReason.NOT_APPROVED),
        _action("software/open", None),
        _action("software/needed", Outcome.FAILED, by="software/asks"),
        _action("software/asks", Outcome.SKIPPED, OutcomeReason.DEPENDENCY),
        _action("software/drifted", Outcome.SUCCESS),
    ]
    verified = Verified((), ("software/drifted: still install: missing",))
    state = State(SessionSpec("s", "r", "pc"), actions={one.plan.id: one for one in actions}, verified=verified)
    wanted = ("bad", "held", "open", "asks", "drifted")
    assert left_undone(state) == tuple(f"software/{name}" for name in wanted)
