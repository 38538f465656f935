"""Whose computer it is, through the command line: learned from the history, told with its evidence, waited for."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs

from .fleets import Fleet, fleet

pytestmark = pytest.mark.slow

ANN, BOB = "CORP\\ann", "CORP\\bob"
ADDIN = "winget: Vendor.alpha\ncontext: user\n"
FILES = {
    "tasks/software/alpha/software.yml": ADDIN,
    "tasks/software/beta/software.yml": "winget: Vendor.beta\n",
    "playbooks/deployments/all.yml": "- {item: software/alpha, target: tenants, state: latest}\n"
    "- {item: software/beta, target: tenants, state: latest, "
    "where: \"facts.primary_user == 'CORP\\\\\\\\ann' and immy_primary_user == facts.primary_user\"}\n",
    "playbooks/all.yml": "- name: all\n  hosts: tenants\n  maintenance: full\n"
    "  options: {user_context: primary_user, primary_user_absent: wait, primary_user_hours: 2}\n",
    "playbooks/look.yml": "- name: look\n  hosts: tenants\n  maintenance: inventory\n",
}
HERE = {"users": (ANN, BOB), "logons": {ANN: "locked"}}
PEOPLE: dict[str, dict[str, Any]] = {
    "own": HERE,
    "shared": HERE,
    "set": HERE,
    "server": {**HERE, "role": "server"},
    "away": {"users": (BOB,)},
    "operator": {"users": (ANN,)},
}
SEEN = {
    "own": {ANN: 9, BOB: 2},
    "shared": {ANN: 9, BOB: 8},
    "set": {ANN: 9},
    "server": {ANN: 9},
    "away": {ANN: 9},
    "operator": {ANN: 9},
}
VARIABLES: dict[str, dict[str, Any]] = {"set": {"immy_primary_user": BOB}, "operator": {"immy_not_primary": ["an*"]}}


def remember(one: Fleet) -> None:
    """Sightings of the days of a long past month: nobody waits ten days for a test."""
    with sqlite3.connect(one.state / "history.db") as connection:
        for computer, people in SEEN.items():
            rows = [
                (computer, f"2020-03-{day:02}", name, float(day), "active")
                for name, days in people.items()
                for day in range(20, 20 - days, -1)
            ]
            connection.executemany("INSERT INTO sightings (computer, day, user, at, state) VALUES (?,?,?,?,?)", rows)
    connection.close()


def contexts(one: Fleet) -> dict[str, list[str]]:
    """As whom the jobs of the user's software ran, by computer."""
    found: dict[str, list[str]] = {}
    for name, computer in one.lab.computers.items():
        machine: Any = computer.machine
        jobs = [job.spec for job in machine.spool.jobs.values()]
        found[name] = [job["context"] for job in jobs if job["context"].startswith("user:")]
    return found


def explained(one: Fleet, computer: str) -> Any:
    return json.loads(one.immy("explain", computer, "--format", "json"))["primary_user"]


def test_work_of_the_primary_user_is_done_as_that_user_only(tmp_path: Path) -> None:
    with fleet(
        tmp_path, list(PEOPLE), FILES, specs=PEOPLE, variables=VARIABLES, knobs=Knobs(install_seconds=0.0)
    ) as one:
        one.immy("run", "playbooks/look.yml", "--yes")
        days = dict(one.sql("SELECT computer || user, count(*) FROM sightings GROUP BY computer, user"))
        assert days[f"own{ANN}"] == 1, "one for each person and day"
        assert explained(one, "own")["known"] is False
        remember(one)

        whose = {name: explained(one, name) for name in PEOPLE}
        assert {name: found["name"] for name, found in whose.items()} == {
            "own": ANN, "shared": None, "set": BOB, "server": None, "away": ANN, "operator": None,
        }  # fmt: skip
        assert "inventory/hosts.yml:1" in whose["set"]["why"]
        assert whose["own"]["counted"][0] | {"last": ""} == {
            "user": ANN, "sightings": 7, "first": "2020-03-15", "last": "",
        }  # fmt: skip
        text = one.immy("explain", "shared")
        assert "primary user: none: it is shared: CORP\\" in text
        assert "5 of 10 are needed, and twice as many as anybody else" in text
        assert "does not count: CORP\\ann: listed in immy_not_primary (an*)" in one.immy("explain", "operator", "alpha")

        one.immy("run", "playbooks/all.yml", "--yes", expect=None)
        assert contexts(one) == {
            "own": [f"user:{ANN}"], "shared": [], "set": [f"user:{BOB}"], "server": [], "away": [], "operator": [],
        }  # fmt: skip
        sessions = {each["computer"]: each for each in reversed(one.sessions())}
        ended: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in PEOPLE}
        sql = "SELECT computer, item, outcome, message FROM actions JOIN sessions ON sessions.id=session_id"
        for computer, item, outcome, message in one.sql(sql):
            ended[computer][item] = (outcome, message)
        assert "it is shared" in ended["shared"]["software/alpha"][1]
        assert "it is a server" in ended["server"]["software/alpha"][1]
        installed = {name for name, its in ended.items() if its.get("software/beta", ("", ""))[0] == "success"}
        assert installed == {"own", "away"}, "a condition decides by facts.primary_user"
        assert ended["operator"]["software/beta"][0] == "unknown"
        assert sessions["away"]["status"] == "waiting", "others were done, and its run has not stayed"
        (held,) = json.loads(one.immy("sessions", "stuck", "--format", "json", expect=None))["stuck"]
        assert held["causes"][0]["cause"] == "logon"
        assert "CORP\\ann to log on, until" in held["causes"][0]["what"]

        report = json.loads(one.immy("report", "--format", "json"))
        (tenant,) = report["tenants"]
        assert {each["name"]: each["primary_user"] for each in tenant["computers"]} == {
            "own": ANN, "shared": "", "set": BOB, "server": "", "away": ANN, "operator": "",
        }  # fmt: skip

        machine: Any = one.lab.computers["away"].machine
        machine.state.spec = replace(machine.state.spec, users=(BOB, ANN))
        one.immy("sessions", "resume", sessions["away"]["id"])
        assert contexts(one)["away"] == [f"user:{ANN}"]
        assert one.statuses()["away"] == "passed"
