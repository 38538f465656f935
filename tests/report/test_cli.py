"""`immy report` over a real history: which run, which tenant, which format, where to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from immy_nornir.cli.main import run as immy
from immy_nornir.decide.steps.state import fold
from immy_nornir.history.store import FILE, History
from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.items import ItemKind
from immy_nornir.model.plan import Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.entries import (
    ActionEnded,
    Connected,
    Entry,
    Finished,
    JobEnded,
    JobIntended,
    Planned,
    RebootEnded,
    RebootIntended,
    Resumed,
    Stamped,
)
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import Outcome, OutcomeReason, SessionSpec, Status
from immy_nornir.model.wire import JobResult
from tests.waiting import ENOUGH

VPN = PlannedAction(
    "software/vpn",
    "software/vpn",
    "",
    ItemKind.SOFTWARE,
    ActionType.INSTALL,
    Reason.SOFTWARE_MISSING,
    "missing; latest is 5.1",
    desired="latest",
    version="5.1",
)
PLAN = Plan((VPN,), (("software/vpn",),))


class Ticking:
    """A clock that a second passes on at every look."""

    def __init__(self) -> None:
        self.at = 1_795_411_200.0

    def now(self) -> float:
        self.at += 1
        return self.at

    def monotonic(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def fill(history: History, clock: Ticking, run_id: str, computers: Sequence[tuple[str, str, bool]]) -> None:
    """A run whose sessions, one for each (computer, tenant, good), installed something or failed to."""
    history.begin_run(RunSpec(run_id, "immy run playbooks/full.yml", "full.yml", "fleet", "c0ffee", "kim", "workbench"))
    specs = [
        SessionSpec(f"{run_id}-{number}", run_id, computer, tenant, created_at=clock.now())
        for number, (computer, tenant, _) in enumerate(computers, 1)
    ]
    history.create_sessions(specs)
    for spec, (_, _, good) in zip(specs, computers, strict=True):
        state = history.state_of(spec.id)
        assert state is not None
        history.claim(spec.computer, spec.id)
        for entry in _entries(spec, history.owner, good=good):
            stamped = Stamped(state.entries + 1, clock.now(), entry)
            state = fold(state, stamped)
            history.append(state, stamped)
    history.end_run(run_id, "ended")
    history.flush()


def _entries(spec: SessionSpec, owner: str, *, good: bool) -> list[Entry]:
    job = f"{spec.id}/vpn/1"
    here = Identity(spec.computer, boot=Boot("1"))
    result = JobResult(exit_code=0 if good else 1603, seconds=4.0)
    end = (
        ActionEnded(VPN.id, Outcome.SUCCESS, OutcomeReason.VERIFIED, found="5.1")
        if good
        else ActionEnded(VPN.id, Outcome.FAILED, OutcomeReason.EXIT_CODE, "exit code 1603")
    )
    return [
        Resumed(owner, 1),
        Connected(here),
        Planned(PLAN),
        RebootIntended(1, "pending before execution: Windows Update", Boot("1")),
        RebootEnded(1, Identity(spec.computer, boot=Boot("2"))),
        JobIntended(job, (VPN.id,)),
        JobEnded(job, result, "Zugriff verweigert: Straße\r\n"),
        end,
        Finished(Status.PASSED if good else Status.FAILED, "1 done" if good else "1 failed"),
    ]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet's folder with two runs in its history; the newer one is 1bbb."""
    folder = tmp_path_factory.mktemp("fleet")
    clock = Ticking()
    history = History(folder / ".immy", clock)
    fill(history, clock, "1aaa000001", [("pc1", "contoso", True)])
    fill(history, clock, "1bbb000001", [("pc1", "contoso", True), ("pc2", "contoso", False), ("nb1", "fabrikam", True)])
    fill(history, clock, "1bbb000002", [("pc1", "contoso", True), ("pc2", "contoso", False), ("nb1", "fabrikam", True)])
    history.close()
    return folder


@pytest.fixture(autouse=True)
def _there(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)


def _json(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert immy(["report", "--format", "json", *arguments]) == 0
    found: dict[str, object] = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("arguments", "run_id"),
    [((), "1bbb000002"), (("1aaa",), "1aaa000001"), (("1bbb000001",), "1bbb000001"), (("1aaa000001",), "1aaa000001")],
)
def test_the_newest_run_or_the_one_that_the_beginning_of_an_id_names(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], run_id: str
) -> None:
    found = _json(capfd, *arguments)["run"]
    assert isinstance(found, dict)
    assert found["id"] == run_id


def test_json_has_what_happened_with_the_whole_output(capfd: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(_json(capfd), ensure_ascii=False)
    assert text.count("Zugriff verweigert: Straße") == 3
    assert '"by_status": {"failed": 1, "passed": 2}' in text
    assert '"reboots": 3' in text
    assert '"why": "pending before execution: Windows Update", "outcome": "rebooted"' in text


def test_html_has_the_output_of_what_failed_only(capfd: pytest.CaptureFixture[str]) -> None:
    assert immy(["report", "--format", "html"]) == 0
    text = capfd.readouterr().out
    assert text.count("Zugriff verweigert") == 1
    assert text.startswith("<!DOCTYPE html>")


def test_one_tenants_report_names_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    for form in ("html", "markdown", "json", "csv"):
        assert immy(["report", "--tenant", "fabrikam", "--format", form]) == 0
        text = capfd.readouterr().out
        assert "nb1" in text
        assert "contoso" not in text
        assert "pc2" not in text
        assert not [one for one in ("kim", "workbench", "full.yml", "c0ffee", "immy run") if one in text]


@pytest.mark.parametrize("form", ["html", "markdown", "json", "csv"])
def test_a_customers_report_has_plain_sentences_and_who_acts_next(capfd: pytest.CaptureFixture[str], form: str) -> None:
    assert immy(["report", "--tenant", "contoso", "--for", "customer", "--format", form]) == 0
    text = capfd.readouterr().out
    assert "It ended with an error." in text
    assert "We look at it" in text or "operator" in text
    assert not [one for one in ("software/vpn", "exit code", "reboot", "Zugriff", "nb1", "kim") if one in text]


def test_a_customers_report_counts_what_was_changed_checked_and_skipped(capfd: pytest.CaptureFixture[str]) -> None:
    counts = _json(capfd, "--for", "customer", "--tenant", "contoso")["counts"]
    assert counts == {"changed": 1, "checked": 0, "skipped": 0, "failed": 1, "open": 0}


def test_a_customers_report_of_a_run_with_one_tenant_needs_no_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert _json(capfd, "--for", "customer", "1aaa")["customer"] == "Contoso"


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("r.html", "<!DOCTYPE"),
        ("r.md", "# full.yml"),
        ("r.json", '{\n  "schema_version": 1'),
        ("r.csv", "tenant,computer"),
    ],
)
def test_a_files_ending_says_the_format(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, name: str, begin: str
) -> None:
    assert immy(["report", "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
    out, err = capfd.readouterr()
    assert out == ""
    assert name in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("1bba000001",), ("there is no run '1bba000001'", "1bbb000001")),
        (("zzz",), ("there is no run 'zzz'", "the newest runs are 1bbb000002")),
        (("1bbb000001-2",), ("there is no run", "1bbb000001")),
        (("1bbb",), ("the beginning of several runs: 1bbb000002, 1bbb000001", "more of the id")),
        (("--tenant", "fabrikan"), ("no computer of tenant 'fabrikan'", "the nearest tenant is fabrikam")),
        (("--tenant", "x"), ("no computer of tenant 'x'", "its tenants are contoso, fabrikam")),
        (("--for", "customer"), ("has several tenants", "--tenant", "contoso, fabrikam")),
        (("--format", "pdf"), ("pdf", "markdown")),
        (("--output", "report.pdf"), ("report.pdf does not say", ".html", "--format")),
    ],
)
def test_wrong_names_are_told_with_the_nearest(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: tuple[str, ...]
) -> None:
    assert immy(["report", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert not [one for one in told if one not in err]
    assert "Traceback" not in err


def test_without_a_history_or_a_run_it_says_what_makes_one(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert immy(["--state", str(tmp_path / "none"), "report"]) == 2
    assert "there is no history at" in capfd.readouterr().err
    History(tmp_path / "new", Ticking()).close()
    assert immy(["--state", str(tmp_path / "new"), "report"]) == 2
    assert "no run yet" in capfd.readouterr().err


def test_a_folder_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert immy(["report", "--output", str(tmp_path / "no" / "r.html")]) != 0
    assert "cannot be written" in capfd.readouterr().err


def test_a_state_folder_elsewhere_and_the_fleets_own_template_are_used(
    capfd: pytest.CaptureFixture[str], fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "report.html.j2").write_text("{{ report.run.id }}: {{ nothing }}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert immy(["--state", str(fleet / ".immy"), "report", "--format", "html"]) == 2
    assert f"{Path('reports', 'report.html.j2')}:1:1" in capfd.readouterr().err
    (tmp_path / "reports" / "report.html.j2").write_text("run {{ report.run.id }}\n", encoding="utf-8")
    assert immy(["--state", str(fleet / ".immy"), "report", "--format", "html"]) == 0
    assert capfd.readouterr().out == "run 1bbb000002\n"


@pytest.mark.slow
def test_a_pipe_gets_utf_8_whatever_the_system_speaks(fleet: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "immy_nornir", "report"],
        cwd=fleet,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=False,
        timeout=ENOUGH,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Straße" in done.stdout.decode("utf-8")


def test_reading_changes_nothing(fleet: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (fleet / ".immy" / FILE).read_bytes()
    assert immy(["report"]) == 0
    capfd.readouterr()
    assert (fleet / ".immy" / FILE).read_bytes() == before
