"""People who are asked before a reboot: each row of the table in docs/prompts.md, and what no answer can do."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.decide.steps.step import Note
from immy_nornir.model.facts import LogonState
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import Otherwise, Reboot
from immy_nornir.model.record.entries import RebootAsked, RebootIntended
from immy_nornir.model.record.question_entries import QuestionAnswered, QuestionEnded, QuestionIntended, Said, Verdict
from immy_nornir.model.record.session import Outcome, OutcomeReason, WaitKind
from tests.decide.steps.people import People, Person
from tests.decide.steps.world import Session, act, resume, session

ACTIVE, LOCKED, GONE = LogonState.ACTIVE, LogonState.LOCKED, LogonState.DISCONNECTED
NOW = (20.0, Said.NOW, 0)
NO = (20.0, Said.REFUSED, 0)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "prompts.md"


def later(minutes: int) -> tuple[float, Said, int]:
    return 20.0, Said.LATER, minutes


def person(name: str = "ann", *says: tuple[float, Said, int], state: LogonState = ACTIVE, **more: Any) -> Person:
    return Person(name, more.pop("states", [(0.0, state)]), list(says), **more)


PEOPLE: Mapping[str, list[Person]] = {
    "nobody": [],
    "agrees": [person("ann", NOW)],
    "refuses": [person("ann", NO)],
    "postpones, then agrees": [person("ann", later(60), NOW)],
    "postpones again and again": [person("ann", *[later(15)] * 9)],
    "silent": [person()],
    "locked": [person(state=LOCKED)],
    "disconnected": [person(state=GONE)],
    "logs off": [person("ann", states=[(0.0, ACTIVE), (1100.0, None)])],
    "unlocks and agrees": [person("ann", (400.0, Said.NOW, 0), states=[(0.0, LOCKED), (1200.0, ACTIVE)])],
    "one agrees, one refuses": [person("ann", NOW), person("bob", NO)],
    "one agrees, one is locked": [person("ann", NOW), person("bob", state=LOCKED)],
    "one agrees, one postpones": [person("ann", NOW, NOW), person("bob", later(15), NOW)],
    "somebody comes and refuses": [person("ann", (200.0, Said.NOW, 0)), person("bob", NO, states=[(1100.0, ACTIVE)])],
    "over SSH only": [person("ann", desktop=False)],
}


def asked(people: list[Person], **options: Any) -> Session:
    """A session whose one action wants a reboot after it, in a world with these people."""
    fresh = [Person(one.name, one.states, one.says, one.desktop) for one in people]
    told = {"reboot": Reboot.PROMPT, **options}
    return session(act("a", reboot=RebootNeed.AFTER), options=told, people=People(fresh))


def told(one: Session) -> str:
    """What became of the reboot, as the table says it."""
    rebooted = [entry.at for entry in one.entries if isinstance(entry.entry, RebootAsked)]
    intended = [entry for entry in one.entries if isinstance(entry.entry, QuestionIntended)]
    if rebooted:
        waited = rebooted[0] - (intended[0].at if intended else rebooted[0])
        return "rebooted" + (f" after {round(waited / 60)} min" if waited > 90 else "")
    return "not rebooted"


def rows() -> list[tuple[str, str, str]]:
    """(who is there, option, what becomes of it) of the page's table."""
    text = PAGE.read_text(encoding="utf-8")
    table = re.search(r"<!-- played -->\n(.*?)\n\n", text, re.DOTALL)
    assert table is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group(1).splitlines()]
    head = [one.strip("`") for one in lines[0]]
    return [(line[0], option, cell) for line in lines[2:] for option, cell in zip(head[1:], line[1:], strict=True)]


def test_the_table_of_the_page_is_what_happens() -> None:
    wrong = []
    for who, option, says in rows():
        name, _, value = option.partition(": ")
        one = asked(PEOPLE[who], **{name: Reboot(value) if name == "reboot" else value}).go()
        if told(one) != says:
            wrong.append((who, option, says, told(one)))
        assert not one.world.people.shown, "nothing stays on a screen"
    assert not wrong
    assert {who for who, _, _ in rows()} == set(PEOPLE)


def test_the_record_says_who_said_what_and_the_action_that_its_reboot_is_owed() -> None:
    one = asked(PEOPLE["refuses"]).go()
    (answer,) = one.notes(QuestionAnswered)
    assert (answer.user, answer.said) == ("ann", Said.REFUSED)
    assert one.outcomes["a"] == (Outcome.SUCCESS, OutcomeReason.VERIFIED)
    assert one.state.finished is not None
    assert "not rebooted: ann said no" in one.state.finished.message


def test_what_needs_the_reboot_is_skipped_with_the_words_of_who_refused() -> None:
    people = People([person("ann", NO)])
    one = session(
        act("a", reboot=RebootNeed.AFTER), act("b", "a"), options={"reboot": Reboot.PROMPT}, people=people
    ).go()
    assert one.outcomes["b"] == (Outcome.SKIPPED, OutcomeReason.REBOOTS_SKIPPED)
    ended = one.state.actions["b"].ended
    assert ended is not None
    assert ended.message.endswith("ann said no")
    assert len(people.asked["ann"]) == 1, "who has refused is not asked again"


@pytest.mark.parametrize("role", ["server", "domain_controller"])
def test_nobody_is_asked_on_a_server(role: str) -> None:
    one = asked([person("ann", NOW)])
    one.world.role = role
    one.go()
    assert told(one) == "not rebooted"
    assert not one.world.people.asked


def test_only_times_inside_the_window_are_offered() -> None:
    begins = 1_893_452_400.0  # 2029-12-31 23:00 UTC
    one = session(
        act("a", reboot=RebootNeed.AFTER),
        options={"reboot": Reboot.PROMPT, "window": "mon 22:00-00:30"},
        people=People([person("ann", later(60), NOW)]),
        now=begins,
        spec={"created_at": begins, "time_zone": "UTC"},
    ).go()
    (first, *_) = one.notes(QuestionIntended)
    assert first.later == (15, 60)


def test_a_users_now_overrides_business_hours_and_silence_does_not() -> None:
    noon = 1_893_412_800.0  # 2029-12-31 12:00 UTC, a Monday
    hours = {"business_hours": "mon-fri 08:00-18:00", "time_zone": "UTC", "created_at": noon}
    options = {"reboot": Reboot.PROMPT, "reboots_in_business_hours": False}
    one = session(
        act("a", reboot=RebootNeed.AFTER), options=options, people=People([person("ann", NOW)]), now=noon, spec=hours
    ).go()
    at = next(entry.at for entry in one.entries if isinstance(entry.entry, RebootAsked))
    assert at < noon + 600

    for people in ([], [person()]):
        quiet = {**options, "prompt_silence": Otherwise.REBOOT, "countdown_minutes": 0}
        one = session(
            act("a", reboot=RebootNeed.AFTER), options=quiet, people=People(people), now=noon, spec=hours
        ).go()
        at = next(entry.at for entry in one.entries if isinstance(entry.entry, RebootAsked))
        assert at >= noon + 6 * 3600


def test_a_question_that_nothing_asks_any_more_does_not_stay_on_the_screen() -> None:
    one = asked([person()])
    one.go_until(lambda: one.world.people.shown)
    one.stop_at = len(one.steps) + 5
    for number in range(len(one.steps), 500):
        one.go_once(number)
        if one.state.finished is not None:
            break
    assert not one.world.people.shown
    assert any(entry.verdict is Verdict.WITHDRAWN for entry in one.notes(QuestionEnded))


def test_postponements_are_counted_and_end() -> None:
    one = asked(PEOPLE["postpones again and again"], prompt_postponements=2).go()
    offered = [entry.later for entry in one.notes(QuestionIntended)]
    assert [bool(each) for each in offered] == [True, True, False]
    waits = [wait for wait in one.waits if wait.kind is WaitKind.PROMPT and wait.deferred]
    assert waits, "nobody's run stays for an hour's delay"
    assert told(one) == "not rebooted", "an answer that was not offered is none"


def test_another_process_goes_on_with_the_question_that_is_open() -> None:
    one = asked([person("ann", (300.0, Said.NOW, 0))])
    one.go_until(lambda: one.notes(QuestionIntended) and one.world.people.shown)
    again = resume(one, one.entries, one.world).go()
    assert len(again.notes(QuestionIntended)) == 1
    assert again.notes(RebootIntended)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("seed", range(300))
def test_nobody_who_is_there_and_did_not_agree_is_rebooted(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable people
    says = [NOW, NO, later(15), later(60), (chance.uniform(0, 2000), Said.NOW, 0)]
    people = []
    for name in ("ann", "bob", "eve")[: chance.randint(0, 3)]:
        states: list[tuple[float, LogonState | None]] = [(0.0, chance.choice([ACTIVE, LOCKED, GONE, None]))]
        at = 0.0
        for _ in range(chance.randint(0, 3)):
            at += chance.uniform(10, 1500)
            states.append((at, chance.choice([ACTIVE, LOCKED, GONE, None])))
        people.append(person(name, *[chance.choice(says) for _ in range(5)], states=states))
    one = asked(people, prompt_nobody=chance.choice(list(Otherwise)))
    one.go()
    assert not one.world.people.shown
    asked_at = [entry.at for entry in one.entries if isinstance(entry.entry, RebootAsked)]
    intended = [entry for entry in one.entries if isinstance(entry.entry, RebootIntended)]
    for at, intent in zip(asked_at, intended, strict=True):
        agreed = {
            each.entry.user
            for each in one.entries
            if isinstance(each.entry, QuestionAnswered) and each.entry.said is Said.NOW and each.at >= intent.at - 700
        }
        # Somebody may log on between the last look and the reboot: a minute.
        there = {each.name for each in people if each.state(at) is not None and each.state(intent.at - 61) is not None}
        assert there <= agreed, (at, there, agreed)
    questions = [each for each in one.steps if isinstance(each, Note) and isinstance(each.entry, QuestionIntended)]
    assert all(each.durable for each in questions)
