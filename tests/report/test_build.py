"""Rows become a report: sums, order, what needs attention, shared reasons, readable output."""

from __future__ import annotations

import pytest

from immy_nornir.model.record.session import Status
from immy_nornir.report.build import build, readable
from tests.report import rows


def test_every_computer_counts_once_by_the_worst_of_its_sessions() -> None:
    sessions = [
        rows.session("pc1", id="r-1"),
        rows.session("pc1", Status.FAILED, id="r-2", play="second"),
        rows.session("pc2", id="r-3"),
    ]
    report = build(rows.RUN, sessions, generated_at=0.0)
    assert (report.totals.computers, report.totals.sessions) == (2, 3)
    assert dict(report.totals.by_status) == {"failed": 1, "passed": 1}
    assert [one.status for one in report.tenants[0].computers] == [Status.FAILED, Status.PASSED]


def test_totals_are_the_sums_of_the_tenants() -> None:
    sessions, jobs = rows.every_status()
    report = build(rows.RUN, sessions, jobs, generated_at=0.0)
    assert [one.name for one in report.tenants] == ["contoso", "fabrikam"]
    assert report.totals.computers == sum(one.totals.computers for one in report.tenants) == len(sessions)
    assert report.totals.actions == sum(one.totals.actions for one in report.tenants)
    assert report.totals.actions == sum(report.totals.by_outcome.values())
    assert set(report.totals.by_status) == set(Status)
    assert (report.totals.reboots, report.totals.reboots_owed, report.owed) == (1, 1, ("srv1",))


def test_what_needs_attention_comes_worst_first_and_nothing_else_is_in_it() -> None:
    sessions, _ = rows.every_status()
    report = build(rows.RUN, sessions, generated_at=0.0)
    assert [one.status.value for one in report.attention] == [
        "failed",
        "partially_passed",
        "partially_passed",
        "interrupted",
        "missed",
    ]
    assert {one.status for one in report.unfinished} == {Status.RUNNING, Status.WAITING, Status.CREATED}


def test_the_order_of_rows_does_not_matter_and_names_sort_as_people_sort_them() -> None:
    names = ["pc10", "pc2", "PC1", "1st", "pc", "pc2a", "10th", "2nd", "pc02"]
    sessions = [rows.session(name) for name in names]
    expected = build(rows.RUN, sessions, generated_at=0.0)
    for order in (sessions[::-1], sessions[4:] + sessions[:4]):
        assert build(rows.RUN, order, generated_at=0.0) == expected
    found = [one.name for one in expected.tenants[0].computers]
    assert found == ["1st", "2nd", "10th", "pc", "PC1", "pc02", "pc2", "pc2a", "pc10"]


def test_reasons_that_several_computers_share_are_told_once() -> None:
    failing = [rows.session(f"pc{one}", Status.FAILED, actions=rows.failing()) for one in range(3)]
    away = [
        rows.session(f"nb{one}", Status.MISSED, f"timeout: 10.0.0.{one}, opening the connection: no answer")
        for one in range(2)
    ]
    single = rows.session("srv", Status.FAILED, "something of its own")
    causes = build(rows.RUN, [*failing, *away, single], generated_at=0.0).causes
    assert [(one.item, one.outcome, one.computers) for one in causes] == [
        ("software/vpn", "failed", ("pc0", "pc1", "pc2")),
        ("", "missed", ("nb0", "nb1")),
    ]
    assert causes[1].text == "The computer did not answer in time."
    assert causes[1].example == "timeout: 10.0.0.0, opening the connection: no answer"


def test_audits_that_found_something_are_listed_by_item() -> None:
    audit = rows.action("task/bitlocker", type="audit", outcome="not_compliant", outcome_reason="audit", message="off")
    report = build(rows.RUN, [rows.session(name, actions=(audit,)) for name in ("b", "a")], generated_at=0.0)
    assert [(one.item, one.computers, one.example) for one in report.not_compliant] == [
        ("task/bitlocker", ("a", "b"), "off")
    ]


def test_an_empty_run_has_an_empty_report() -> None:
    report = build(rows.RUN, [], generated_at=0.0)
    assert report.totals.computers == 0
    assert (report.tenants, report.attention, report.causes) == ((), (), ())


def test_a_run_that_goes_on_has_no_length() -> None:
    running = rows.run(ended_at=None, status="running")
    assert build(running, [], generated_at=0.0).run.seconds is None


def test_actions_of_a_newer_history_are_counted_too() -> None:
    odd = rows.action("task/x", outcome="put_off", outcome_reason="full_moon")
    report = build(rows.RUN, [rows.session("pc", actions=(odd,))], generated_at=0.0)
    assert dict(report.totals.by_outcome) == {"put_off": 1}
    assert report.tenants[0].computers[0].sessions[0].actions[0].text == "full moon"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r20%\r", "10%\n20%\n"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07end", r"\x1b[1;31mred\x1b[0m \x1b]0;title\x07end"),
        ("bell\x07 nu\x00ll tab\t.", "bell\\x07 nu\\x00ll tab\t."),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_job_output_becomes_readable_text(output: str, text: str) -> None:
    assert readable(output) == text
