"""A report for one tenant tells nothing of other tenants or of the operator, in any format, whatever the texts hold."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from immy_nornir.history.queries import ActionRow, JobRow, RunRow, SessionRow
from immy_nornir.history.tables.about import About, MachineRow, Others
from immy_nornir.model.plan import Reason
from immy_nornir.model.record.session import EndReason, OutcomeReason, Status
from immy_nornir.report.build import build
from immy_nornir.report.model import Report
from immy_nornir.report.render import FORMATS, Format, render, render_for_customer
from tests.report import rows

OTHERS = Others(
    frozenset({"nb-7", "srv.fabrikam.example", "Empfang PC"}), frozenset({"fabrikam"}), frozenset({"quinn"})
)
ABOUT = About({"software/vpn": "Contoso VPN"}, {"pc1": MachineRow("Windows 11", "S-1", rows.BEGIN)}, OTHERS)
FOREIGN = "fabrikam NB-7 srv.fabrikam.example Empfang PC kim quinn workbench /srv/kims-fleet/hosts.yml"
TELLING = (
    *("fabrikam", "nb-7", "empfang", "kim", "quinn", "workbench"),
    *("/srv", "hosts.yml", "monthly", "--limit", "c0ffee"),
)
RUN = rows.run(command="immy run monthly.yml --limit nb-7", fleet="/srv/kims-fleet", commit="c0ffee", note=FOREIGN)
FORMS = [(form, audience) for form in FORMATS for audience in ("operator", "customer")]


def shown(report: Report, form: Format, audience: str) -> str:
    return (render_for_customer if audience == "customer" else render)(report, form)


def foreign(row: Any, *, but: tuple[str, ...]) -> Any:
    """The row with everything that is a text telling of others."""
    texts = {one.name for one in dataclasses.fields(row) if type(getattr(row, one.name)) is str} - set(but)
    return dataclasses.replace(row, **dict.fromkeys(texts, FOREIGN))


def report_of(*sessions: SessionRow, jobs: dict[str, list[JobRow]] | None = None, run: RunRow = RUN) -> Report:
    return build(run, sessions, jobs or {}, generated_at=rows.BEGIN, only_tenant="contoso", about=ABOUT)


def every_action() -> tuple[ActionRow, ...]:
    """One action for each reason of an end and of a plan, all of whose texts tell of others."""
    keep = ("id", "item", "type", "reason", "status", "outcome", "outcome_reason", "held")
    ends = [
        rows.action(f"task/{why}", outcome="failed", outcome_reason=why.value, type="enforce") for why in OutcomeReason
    ]
    plans = [rows.action(f"software/{why}", reason=why.value) for why in Reason]
    return tuple(foreign(one, but=keep) for one in (*ends, *plans))


@pytest.mark.parametrize(("form", "audience"), FORMS)
def test_no_text_field_of_a_row_tells_of_others(form: Format, audience: str) -> None:
    keep = ("id", "run_id", "computer", "tenant", "status", "end_reason", "stage")
    sessions = [
        foreign(rows.session("pc1", status, end_reason=end.value, id=f"r-{number}"), but=keep)
        for number, (status, end) in enumerate((status, end) for status in Status for end in EndReason)
    ]
    sessions[0] = dataclasses.replace(sessions[0], actions=every_action(), reboot_reasons=((FOREIGN, FOREIGN),))
    jobs = {
        "r-0": [dataclasses.replace(rows.job(1, 1, FOREIGN, action_id="task/exit_code"), error=FOREIGN, job_id="r-0/1")]
    }
    text = shown(report_of(*sessions, jobs=jobs), form, audience)
    assert "pc1" in text
    assert [one for one in TELLING if one in text.lower()] == []


@pytest.mark.parametrize(("form", "audience"), FORMS)
def test_neither_times_nor_numbers_nor_the_end_of_the_whole_run_are_told(form: Format, audience: str) -> None:
    run = dataclasses.replace(RUN, status="interrupted", started_at=rows.BEGIN - 9999, ended_at=rows.BEGIN + 9999)
    report = report_of(rows.session("pc1", id=f"{RUN.id}-4711"), run=run)
    text = shown(report, form, audience)
    assert "4711" not in text
    assert "interrupted" not in text.partition("<body>")[2 if form == "html" else 0].lower()
    assert (report.run.started_at, report.run.ended_at) == (rows.BEGIN + 2, rows.BEGIN + 302)


def test_what_the_tenants_own_computers_say_stays_with_its_own_names() -> None:
    action = rows.action(
        "software/vpn",
        outcome="failed",
        outcome_reason="exit_code",
        message="exit code 1603 on pc1 of Contoso: nb-7a, nb-7 and Kim",
        found="5.0",
    )
    job = rows.job(1, 1, "line of pc1\nsaid fabrikam\n")
    one = rows.session("pc1", Status.FAILED, "1 failed", actions=(action,), id="r-3", end_reason="actions")
    session = report_of(one, jobs={"r-3": [job]}).tenants[0].computers[0].sessions[0]
    (found,) = session.actions
    assert found.message == "exit code 1603 on pc1 of Contoso: nb-7a, another computer and the operator"
    assert (found.why, found.found, found.title) == ("missing; latest is 24.09", "5.0", "Contoso VPN")
    assert found.jobs[0].output == "line of pc1\nsaid another customer\n"
    assert (session.text, session.id) == ("1 failed", f"{RUN.id}/pc1")


def test_an_own_name_that_holds_a_foreign_one_stays() -> None:
    action = rows.action("task/a", message="nb-7-of-contoso differs from nb-7", outcome_reason="audit")
    report = report_of(rows.session("nb-7-of-contoso", actions=(action,)))
    (found,) = report.tenants[0].computers[0].sessions[0].actions
    assert found.message == "nb-7-of-contoso differs from another computer"


@pytest.mark.parametrize(
    ("end_reason", "reason", "text"),
    [
        ("busy", "session 1x-9 is at work on this computer (nb-7)", "Another session was at work on the computer."),
        ("away", "timeout: 10.9.8.7, by way of bastion", "timeout: The computer did not answer in time."),
        ("halted", "3 of 5 computers failed", "The session was not begun: the run was stopped before."),
        ("cancelled", "cancelled by kim", "Somebody stopped the session."),
        ("", "something of an old record", "Nothing was done in its time: the computer was not there"),
    ],
)
def test_a_session_is_told_by_its_reason_and_not_in_its_words(end_reason: str, reason: str, text: str) -> None:
    report = report_of(rows.session("pc1", Status.MISSED, reason, end_reason=end_reason))
    assert report.tenants[0].computers[0].sessions[0].text.startswith(text)


def test_plays_are_numbered_among_the_tenants_own() -> None:
    report = report_of(
        rows.session("pc1", play="all of fabrikam", id="r-2"), rows.session("pc1", play="and contoso", id="r-10")
    )
    assert [(one.play, one.id) for one in report.tenants[0].computers[0].sessions] == [
        ("play 1", f"{RUN.id}/pc1"),
        ("play 2", f"{RUN.id}/pc1/2"),
    ]


def test_many_foreign_names_cost_no_more_than_few() -> None:
    many = Others(frozenset(f"host-{number}" for number in range(50_000)), frozenset(), frozenset())
    about = dataclasses.replace(ABOUT, others=many)
    action = rows.action("task/a", message="host-4711 " * 20_000, outcome_reason="audit")
    report = build(RUN, [rows.session("pc1", actions=(action,))], generated_at=0.0, only_tenant="contoso", about=about)
    (found,) = report.tenants[0].computers[0].sessions[0].actions
    assert found.message == "another computer " * 20_000
