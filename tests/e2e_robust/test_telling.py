"""Runs tell what they brought: each tenant of its own, tickets by keys that stay, and nothing of it can hurt a run."""

from __future__ import annotations

import dataclasses
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.telling.receiver import sink, told, webhook
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
FILE = "playbooks/telling.yml"
BROKEN = {"pc001": {"exits": {"software/alpha": 1603}}}
TOKEN = "T0ken-of-the-webhook"
TICKETS = ["ticket_opened", "ticket_still", "ticket_resolved"]


def channels(root: Path, *listed: dict[str, Any]) -> None:
    write(root, {FILE: json.dumps(list(listed))})


def by_command(root: Path, name: str, what: str = "keep", timeout: str = "30s", **more: Any) -> dict[str, Any]:
    return {"name": name, "to": {"command": sink(root, what, f"{name}.jsonl"), "timeout": timeout}, **more}


def listed(one: Fleet) -> dict[str, list[dict[str, Any]]]:
    """What `tell list` says, oldest first, by channel."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in reversed(json.loads(one.immy("tell", "list", "--format", "json"))["messages"]):
        found.setdefault(each["channel"], []).append(each)
    return found


def all_due(one: Fleet) -> None:
    """As if the time of the next try had come."""
    connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
    with connection:
        connection.execute("UPDATE tellings SET next_at=0")
    connection.close()


def mend(one: Fleet) -> None:
    """From now on the installer of pc001 ends well."""
    machine: Any = one.lab.computers["pc001"].machine
    machine.state.spec = dataclasses.replace(machine.state.spec, exits={})


def test_each_is_told_of_its_own_and_a_channel_that_fails_harms_nothing(tmp_path: Path) -> None:
    with webhook() as hook, fleet(tmp_path, 4, software_files(("alpha",), ()), tenants=2, specs=BROKEN) as one:
        one.environment = {"HOOK": hook.url(TOKEN)}
        every: dict[str, Any] = {"events": ["run_ended", "computer_failed", *TICKETS]}
        channels(
            tmp_path,
            by_command(tmp_path, "ops", **every),
            {"name": "tenant0", "to": {"apprise": {"secret": "env:HOOK"}}, "tenants": "tenant0", "for": "customer"},
            by_command(tmp_path, "each", digest="none", tenants="tenant*", **every),
            by_command(tmp_path, "flood", "flood"),
            by_command(tmp_path, "hang", "hang", "2s"),
            by_command(tmp_path, "refuse", "refuse"),
            {"name": "lost", "to": {"apprise": {"secret": "env:NOBODY"}}},
        )
        one.immy(*RUN, expect=1)
        said = one.said
        assert one.statuses() == {"pc001": "failed", "pc002": "passed", "pc003": "passed", "pc004": "passed"}
        assert "telling hang: no answer in 2 s; it is tried again (immy tell due)" in said
        assert "telling lost: playbooks/telling.yml" in said

        [digest] = told(tmp_path / "ops.jsonl")
        assert digest["totals"] == {"computers": 4, "failed": 1, "passed": 3}
        [ticket] = digest["tickets"]
        assert (ticket["state"], ticket["computer"], ticket["item"], ticket["reason"]) == (
            "opened",
            "pc001",
            "software/alpha",
            "exit_code",
        )
        [got] = hook.got
        assert got["title"] == "Maintenance of Tenant0: 1 of 2 computers in order"
        for of_others in ("tenant1", "pc002", "pc004", "playbooks", "immy"):
            assert of_others not in json.dumps(got), "nothing of others, or of the operator"
        each = {(message["event"], message["tenant"]): message for message in told(tmp_path / "each.jsonl")}
        assert set(each) == {
            ("run_ended", "tenant0"),
            ("run_ended", "tenant1"),
            ("computer_failed", "tenant0"),
            ("ticket_opened", "tenant0"),
        }
        assert "pc001" not in json.dumps(each["run_ended", "tenant1"])
        known = listed(one)
        assert {name: its[0]["state"] for name, its in known.items()} == {
            **dict.fromkeys(("ops", "tenant0", "each", "flood"), "told"),
            **dict.fromkeys(("hang", "refuse", "lost"), "waiting"),
        }
        assert known["refuse"][0]["outcome"] == "exit code 1: the desk is closed:"
        for file in one.state.rglob("history.db*"):
            assert TOKEN.encode() not in file.read_bytes()

        # Another run: the ticket goes on, then it is resolved, always by the same key; who failed is not asked at once.
        one.immy(*RUN, expect=1)
        mend(one)
        one.immy(*RUN)
        states = [[(it["state"], it["key"]) for it in each.get("tickets", [])] for each in told(tmp_path / "ops.jsonl")]
        assert states == [[(state, ticket["key"])] for state in ("opened", "still", "resolved")]
        assert len({each["id"] for each in told(tmp_path / "ops.jsonl")}) == 3
        assert [each["tries"] for each in listed(one)["refuse"]][:1] == [1]

        # What waited comes later, in its order and with the ids that it had.
        ids = [each["id"] for each in listed(one)["refuse"]]
        channels(tmp_path, by_command(tmp_path, "refuse"))
        all_due(one)
        assert "told: 3" in one.immy("tell", "due", expect=1), "channels that are gone are given up"
        assert [each["id"] for each in told(tmp_path / "refuse.jsonl")] == ids
        assert {each["outcome"] for each in listed(one)["hang"]} == {"the fleet has no such channel any more"}
        one.immy("tell", "due")


def test_whoever_is_killed_while_telling_tells_it_again_with_the_same_id(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        channels(tmp_path, by_command(tmp_path, "desk", "hang", "5m", events=["run_ended", *TICKETS]))
        process = one.start(*RUN)
        eventually(lambda: told(tmp_path / "desk.jsonl"), "the run is told")
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 0, "the run was over: its exit code is its own"
        [left] = listed(one)["desk"]
        assert (left["state"], left["tries"]) == ("waiting", 0)
        process = one.start("tell", "due")
        eventually(lambda: len(told(tmp_path / "desk.jsonl")) == 2, "it is told again")
        kill(process)
        assert listed(one)["desk"][0]["state"] == "waiting"
        channels(tmp_path, by_command(tmp_path, "desk"))
        assert "told: 1, failed: 0" in one.immy("tell", "due")
        first, again, at_last = told(tmp_path / "desk.jsonl")
        assert first == again == at_last
        assert "told: 0, failed: 0" in one.immy("tell", "due")
        one.immy("tell", "test", "desk")
        one.immy("tell", "test", "dest", expect=2)
        assert "did you mean 'desk'?" in one.said
        channels(tmp_path, by_command(tmp_path, "desk", "refuse"))
        one.immy("tell", "test", "desk", expect=1)
        assert "desk: exit code 1: the desk is closed" in one.said
        assert [each["event"] for each in told(tmp_path / "desk.jsonl")][3:] == ["test"]


def test_a_halt_is_told_while_the_run_goes_on_and_a_skipped_schedule_by_the_service(tmp_path: Path) -> None:
    files = software_files(("alpha",), ())
    play = {"maintenance": "full", "options": {"reboot": "automatic"}}
    first, rest = {"hosts": "pc001:pc002", "serial": 1, "name": "first"}, {"hosts": "pc003", "name": "rest"}
    files["playbooks/all.yml"] = json.dumps([{**play, **first}, {**play, **rest}])
    files["playbooks/schedules.yml"] = json.dumps(
        [
            {
                "name": "each minute",
                "when": "* * * * *",
                "zone": "UTC",
                "hosts": "tenants",
                "maintenance": "inventory",
                "paused": "for a test",
            }
        ]
    )
    with fleet(tmp_path, 3, files, specs=BROKEN, knobs=Knobs(install_seconds=0.2)) as one:
        channels(tmp_path, by_command(tmp_path, "ops", events=["wave_halted", "schedule_skipped"]))
        process = one.start(*RUN)
        eventually(lambda: bool(one.lab.events("installer_finished")), "the first computer fails")
        one.lab.hold()
        eventually(lambda: told(tmp_path / "ops.jsonl"), "the halt is told")
        assert process.poll() is None
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        [halted] = told(tmp_path / "ops.jsonl")
        assert halted["event"] == "wave_halted"
        assert "1 of 1 computer of a wave failed" in halted["text_of_event"]

        one.immy("schedule", "run", "--once")
        connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
        with connection:
            connection.execute(
                "UPDATE meta SET value=json_set(value, '$.since', json_extract(value, '$.since') - 240) "
                "WHERE name LIKE 'watch:%'"
            )
        connection.close()
        one.immy("schedule", "run", "--once")
        skipped = told(tmp_path / "ops.jsonl")[1:]
        assert {each["event"] for each in skipped} == {"schedule_skipped"}
        assert "each minute" in skipped[0]["text"]
        assert "for a test" in skipped[0]["text"]
        assert len({each["id"] for each in skipped}) == len(skipped)


def test_without_channels_nothing_is_kept_for_later(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN)
        assert "nobody is told anything" in (one.immy("tell", "list"), one.said)[1]
        channels(tmp_path, by_command(tmp_path, "ops"))
        assert "told: 0, failed: 0" in one.immy("tell", "due")
        assert one.sql("SELECT count(*) FROM tellings") == [(0,)]
