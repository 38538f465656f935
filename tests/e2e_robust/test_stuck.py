"""`immy sessions stuck` over a real history: what a killed process, a window, a dark computer and damage leave."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

from .fleets import Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow

BOOK = "- {name: all, hosts: tenants, maintenance: full, options: {reboot: automatic}}\n"
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def stuck(one: Fleet, expect: int) -> dict[str, dict[str, Any]]:
    """What holds the session of each computer, first."""
    document = json.loads(one.immy("sessions", "stuck", "--format", "json", expect=expect))
    return {each["computer"]: each["causes"][0] for each in document["stuck"]}


def damage(one: Fleet, computer: str) -> None:
    connection = sqlite3.connect(one.state / "history.db")
    with connection:
        where = "(SELECT id FROM sessions WHERE computer=?)"
        sql = f"UPDATE entries SET data='no JSON', packed=NULL WHERE seq=1 AND session_id={where}"  # noqa: S608
        connection.execute(sql, (computer,))
    connection.close()


def test_what_holds_each_session_is_named_and_the_commands_help(tmp_path: Path) -> None:
    files = {**software_files(("alpha",), ()), "playbooks/all.yml": BOOK}
    names = ["killed", "later", "dark", "broken"]
    variables: dict[str, dict[str, Any]] = {
        "later": {"immy_options": {"window": "2999-01-01T22:00"}},
        "dark": {"immy_options": {"offline": "apply_on_connect"}},
    }
    with fleet(tmp_path, names, files, variables=variables, specs={"dark": {"misbehave": ("off",)}}) as one:
        one.immy("sessions", "stuck", expect=2)  # there is no history yet
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: len(one.lab.events("installer_started")) == 2)
        eventually(
            lambda: {each["computer"] for each in one.sessions() if each["status"] == "waiting"} >= {"later", "dark"}
        )
        working = stuck(one, 0)
        assert set(working) == {"later", "dark"}
        assert working["later"]["cause"] == "window"
        assert working["later"]["until"] > working["later"]["since"]

        kill(process)
        damage(one, "broken")
        found = stuck(one, 1)
        causes = {name: each["cause"] for name, each in found.items()}
        assert causes == {"killed": "dead", "later": "window", "dark": "away", "broken": "damaged"}
        assert "the job of software/alpha" in found["killed"]["what"]
        assert found["dark"]["next"][0]["command"] == "immy doctor dark"

        text = one.immy("-C", str(one.root), "sessions", "stuck", expect=1)
        assert "4 of 4 open sessions are not simply at work, 2 need somebody" in text
        resume = next(line for line in text.splitlines() if f"immy -C {one.root} sessions resume " in line)
        assert text.index("killed  session") < text.index("later  session")

        one.lab.release()
        one.immy(*resume.partition("immy ")[2].partition("  (")[0].split(), "--yes", expect=None)
        one.immy("sessions", "resume", "--yes", expect=None)
        assert {name: each["cause"] for name, each in stuck(one, 0).items()} == {"later": "window", "dark": "away"}


def test_nothing_stuck_is_said(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN)
        assert one.immy("sessions", "stuck") == "no session is stuck; none is open\n"
        assert json.loads(one.immy("sessions", "stuck", "--format", "json"))["stuck"] == []
