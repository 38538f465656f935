"""Commands by hand: what computers say is put together, recorded, and survives what a run survives."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Lab
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, write

pytestmark = pytest.mark.slow


def test_what_many_computers_say_is_put_together_and_recorded(tmp_path: Path) -> None:
    specs: dict[str, dict[str, Any]] = {"pc003": {"exits": {"command": 3}}, "pc004": {"misbehave": ["off"]}}
    with fleet(tmp_path, 5, tenants=2, specs=specs) as one:
        said = one.immy("exec", "tenants", "--", "echo", "hello  $HOME 'x'", expect=2)
        assert "it would run on 5 computers of 2 tenants, and nobody is here to be asked" in one.said
        assert said == ""

        said = one.immy("exec", "tenants", "--yes", "--", "echo", "hello  $HOME 'x'", expect=1)
        heads = said.splitlines()
        assert heads[0] == "3 computers said the same: pc001, pc005, pc002"
        assert "    hello  $HOME 'x'" in heads
        assert "pc003 (failed: exit code 3)" in heads
        assert any(line.startswith("pc004: missed: ") for line in heads)
        assert "5 computers: 3 passed, 1 failed, 1 missed" in one.said

        listed = one.sessions("--run", "last")
        assert {row["type"] for row in listed} == {"command"}
        shown = one.show("pc003")
        [action] = shown["session"]["actions"]
        assert (action["type"], action["outcome"], action["outcome_reason"]) == ("run", "failed", "exit_code")
        [job] = shown["jobs"]
        assert (job["exit_code"], job["output"]) == (3, "hello  $HOME 'x'\r\n")
        assert "    | hello  $HOME 'x'" in one.immy("sessions", "show", "pc003")
        assert "& 'echo' 'hello  $HOME ''x'''" in one.immy("sessions", "show", "pc003", "--commands")
        assert "echo" in one.immy("report", "--format", "json")

        said = one.immy("exec", "pc001:pc002", "-y", "-v", "--", "hostname")
        assert said.splitlines() == ["2 computers said alike: pc001, pc002", "    pc001: pc001", "    pc002: pc002"]
        assert "pc001 | pc001" in one.said

        document = json.loads(one.immy("exec", "pc001:pc004", "-y", "--format", "json", "--", "whoami", expect=6))
        assert [(row["status"], row["exit_code"], row["output"]) for row in document["computers"]] == [
            ("passed", 0, "nt authority\\system\r\n"),
            ("missed", None, ""),
        ]
        (tmp_path / "FREEZE").write_text("no changes before Monday\n")
        one.immy("exec", "pc001", "--", "hostname", expect=2)
        assert "no changes before Monday" in one.said
        (tmp_path / "FREEZE").unlink()

        # What holds a computer refuses what is typed for it, at once; --wait is the word for later.
        before = len(one.sessions())
        one.immy("freeze", "pc005", "--reason", "audit")
        one.immy("freeze", "pc002", "--until", "3h", "--reason", "on stage")
        one.immy("exec", "pc005", "--", "hostname", expect=2)
        assert "pc005 is frozen: audit (freeze 1 by " in one.said
        assert "--wait stays until that is over" in one.said
        assert len(one.sessions()) == before
        said = one.immy("exec", "pc001:pc002:pc005", "-y", "--", "hostname", expect=6)
        assert "left out: pc002 is frozen until " in one.said
        assert "3 computers: 2 missed, 1 passed" in one.said
        assert "\npc005: missed: frozen: audit (freeze 1 by " in said
        assert "waiting" not in one.statuses().values()
        process = one.start("exec", "pc002", "--wait", "--", "hostname")
        eventually(lambda: one.statuses()["pc002"] == "waiting")
        one.immy("unfreeze", "--all")
        assert process.wait(ENOUGH) == 0


SLOW = """echo begun >> "$1/counter"
echo "the first"
while [ ! -e "$1/go" ]; do sleep 0.1; done
echo "the password is $(cat "$1/word")"
exit 3
"""


@pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")
@pytest.mark.parametrize("end", ["killed", "interrupted"])
def test_a_command_outlives_its_immy_and_is_never_run_twice(tmp_path: Path, end: str) -> None:
    hosts = "all: {hosts: {localhost: {ansible_connection: local, a_secret: {secret: 'env:A_WORD'}}}}\n"
    word = "Tr0ub4dor&3xyz"
    write(tmp_path, {"inventory/hosts.yml": hosts, "slow.sh": SLOW, "place/word": f"{word}\n"})
    environment = {"IMMY_SPOOL": str(tmp_path / "spool"), "A_WORD": word}
    one = Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), environment)
    place = tmp_path / "place"
    one.immy("exec", "localhost", "--", "echo", word, expect=2)
    assert "the command holds a known secret in clear" in one.said
    assert word not in one.said

    process = one.start("exec", "localhost", "--script", "slow.sh", "--", str(place))
    eventually((place / "counter").exists)
    if end == "killed":
        kill(process)
    else:
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130
    assert one.statuses() == {"localhost": "interrupted"}
    one.immy("sessions", "rerun", "localhost", expect=2)
    assert "what has not ended cannot be done again" in one.said

    process = one.start("sessions", "resume")
    eventually(lambda: one.statuses()["localhost"] in ("running", "waiting"))
    (place / "go").touch()
    assert process.wait(ENOUGH) == 1
    assert (place / "counter").read_text() == "begun\n"
    [job] = one.show("localhost")["jobs"]
    assert (job["state"], job["exit_code"]) == ("finished", 3)
    assert job["output"].startswith("the first\nthe password is ")
    assert word not in json.dumps(one.show("localhost"))
