"""Nornir's own rules: any runner can maintain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nornir.core.plugins.runners import RunnerPlugin
from nornir.plugins.runners import SerialRunner, ThreadedRunner
from nornir_utils.plugins.functions import print_result

from immy_nornir.cli import startup
from immy_nornir.lab import Knobs
from immy_nornir.model.record.run import Approved, RunSpec
from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.plugins.tasks import maintain
from immy_nornir.session import runs
from immy_nornir.session.before.specs import Asking
from immy_nornir.session.live import LiveSession
from immy_nornir.session.taking import taking_up
from tests.plugins.hosts import Watching, nornir

from .fleets import PASSWORD, Fleet, fleet, software_files


@contextmanager
def sessions(one: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, LiveSession]]:
    """A script of one's own: an engine, a run and its sessions."""
    monkeypatch.setenv("IMMY_TEST_PASSWORD", PASSWORD)
    loaded, book = startup.load(one.root, (), one.root / "playbooks" / "all.yml")
    assert book is not None
    engine = startup.engine_of(one.root, one.state, loaded, {})
    try:
        [play] = book.plays
        names = sorted(loaded.inventory.computers)
        run = runs.PlayRun(play, loaded.types["full"], startup.computers_of(loaded.inventory, names))
        taking_up.make_specs(engine, "script1", [run], Asking())
        fresh, said = taking_up.make_sessions(engine, [run])
        assert said == []
        runs.begin_run(engine, RunSpec("script1", "a script"), [run], fresh, Approved("--yes"))
        yield run.sessions
    finally:
        engine.history.close()


@pytest.mark.slow
@pytest.mark.parametrize("runner", [SerialRunner(), ThreadedRunner(num_workers=4), ImmyRunner(num_workers=1)])
def test_maintain_runs_under_any_runner(
    tmp_path: Path, runner: RunnerPlugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = software_files(("alpha", "beta"), ())
    specs: dict[str, dict[str, Any]] = {
        "pc001": {"pending_reboots": ["windows_update"]},
        "pc002": {"exits": {"software/beta": 1603}},
    }
    knobs = Knobs(reboot_seconds=0.2, install_seconds=0.1)
    with fleet(tmp_path, 2, files, knobs=knobs, specs=specs) as one, sessions(one, monkeypatch) as lives:
        watching = Watching()
        made = nornir(runner, tuple(lives)).with_processors([watching])
        results = made.run(task=maintain, sessions=lives)
        assert watching.started == watching.completed == dict.fromkeys(lives, 1)
        assert not results["pc001"].failed
        assert results["pc001"].changed
        assert results["pc001"][0].result["status"] == "passed"
        assert results["pc001"][0].result["reboots"] == 1
        assert results["pc002"].failed
        assert len(one.lab.events("reboot", "pc001")) == 1
        print_result(results)
        said = capsys.readouterr().out
        assert "passed" in said
        assert "1603" in said
    assert one.statuses() == {"pc001": "passed", "pc002": "partially_passed"}
