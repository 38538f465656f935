"""Onboarding ends by itself for the machine that it was done to, and begins anew for another or by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fleets import Fleet, fleet, software_files

pytestmark = pytest.mark.slow

RULES = (
    "- {item: software/gamma, target: tenants, state: latest}\n"
    "- {item: task/hello, target: tenants, mode: enforce, enforcement: onboarding}\n"
)
HELLO = "registry: {key: 'HKLM\\SOFTWARE\\Lab', name: hello, value: there}\n"
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def todo(one: Fleet) -> list[str]:
    """What the newest session planned, in its order."""
    actions = one.show(one.sessions()[0]["id"])["session"]["actions"]
    return [str(row["id"]) for row in actions]


def test_onboarding_ends_when_its_items_have_passed_and_is_repeated_by_word_or_for_another_machine(
    tmp_path: Path,
) -> None:
    files = {**software_files(("gamma",), ()), "tasks/maintenance/hello/task.yml": HELLO}
    files["playbooks/deployments/all.yml"] = RULES
    failing = {"pc001": {"exits": {"task/hello": [1, 0]}}}
    with fleet(tmp_path, 1, files, common={"immy_onboarding": True}, specs=failing) as one:
        one.immy(*RUN, expect=None)
        assert todo(one) == ["task/hello", "software/gamma"], "it comes first"
        assert one.sessions()[0]["status"] != "passed"
        one.immy(*RUN)
        assert todo(one) == ["task/hello", "software/gamma"], "what has failed is not over"
        done = one.sessions()[0]["id"]
        one.immy(*RUN)
        assert todo(one) == ["software/gamma"]
        said = one.immy("explain", "pc001", "task/hello")
        assert f"in session {done}" in said
        assert "onboarded on 20" in said
        one.immy("sessions", "onboard", "pc001", expect=2)
        assert "--yes" in one.said
        one.immy("sessions", "onboard", "pc001", "--yes", "--no-report")
        assert todo(one) == ["task/hello", "software/gamma"]
        assert one.sql("SELECT count(*) FROM onboarded WHERE again_at IS NULL") == [(1,)]
        one.immy("computers", "accept", "pc001", "--reason", "wiped")
        one.immy(*RUN)
        assert todo(one) == ["task/hello", "software/gamma"]
