"""Sessions again: their own arguments, the files of today, and what a rerun narrows them by kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .fleets import fleet, software_files, write

pytestmark = pytest.mark.slow


def _items(shown: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in shown["session"]["actions"]}


def test_sessions_are_repeated_with_their_own_arguments(tmp_path: Path) -> None:
    specs: dict[str, dict[str, Any]] = {
        "pc002": {"exits": {"software/alpha": [1, 0]}},
        "pc003": {"misbehave": ["off"]},
    }
    files = software_files(reboots=())
    with fleet(tmp_path, 3, files, specs=specs) as one:
        one.immy(
            "run", "playbooks/all.yml", "-y", "--limit", "pc001:pc002", "-e", "who=me", "-o", "retries=2", expect=1
        )
        first = one.show("pc002")
        assert _items(first)["software/alpha"] == "failed"

        one.immy("sessions", "rerun", "--run", "last", "--failed", "-y", "--reason", "the disk was full")
        again = one.show("pc002")
        assert _items(again) == {"software/alpha": "success"}
        assert (again["rerun_of"], again["reason"]) == (first["session"]["id"], "the disk was full")
        said = one.immy("sessions", "show", "pc002")
        assert f"a rerun of session {first['session']['id']}: the disk was full" in said
        one.immy("sessions", "rerun", "--run", "last", "--failed", expect=2)
        assert "nothing failed on pc002" in one.said

        one.immy("sessions", "rerun", first["session"]["id"], "-y", "--action", "gamma")
        assert set(_items(one.show("pc002"))) == {"software/gamma"}
        # What the rerun was narrowed by is no argument of its own: repeated, it is the first one again.
        one.immy("sessions", "rerun", "pc002", "-y")
        assert set(_items(one.show("pc002"))) == {"software/alpha", "software/beta", "software/gamma"}
        one.immy("sessions", "rerun", "pc002", "-y", "--action", "gama", expect=2)
        assert "had no item 'gama'" in one.said
        assert "did you mean 'gamma'?" in one.said

        one.immy("exec", "pc001", "--", "echo", "a b")
        one.immy("sessions", "rerun", "pc001")
        assert one.show("pc001")["jobs"][0]["output"] == "a b\r\n"

        one.immy("run", "--on", "pc003", "--type", "full", "-y", "--offline", "apply_on_connect", expect=5)
        one.immy("sessions", "rerun", "pc003", expect=2)
        assert "what has not ended cannot be done again" in one.said
        assert "of pc003 is waiting" in one.said
        said = one.said
        assert f"immy sessions log -f {one.sessions('pc003')[0]['id']}" in said

        old = first["session"]["id"]
        write(tmp_path, {"FREEZE": "not now\n"})
        one.immy("sessions", "rerun", old, "-y", expect=2)
        assert "not now" in one.said
        (tmp_path / "FREEZE").unlink()
        (tmp_path / "playbooks/all.yml").unlink()
        one.immy("sessions", "rerun", old, "-y", expect=2)
        assert "the playbook playbooks/all.yml is gone" in one.said
        hosts = json.loads((tmp_path / "inventory/hosts.yml").read_text())
        del hosts["all"]["children"]["tenants"]["children"]["tenant0"]["hosts"]["pc002"]
        write(tmp_path, {"inventory/hosts.yml": json.dumps(hosts)})
        one.immy("sessions", "rerun", old, "-y", expect=2)
        assert "not in the inventory any more: pc002" in one.said
