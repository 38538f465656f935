"""Not knowing is an outcome of its own: it causes no action, is neither success nor failure, and says why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Lab

from .fleets import Fleet, fleet, software_files, write

pytestmark = pytest.mark.slow

RULES = "playbooks/deployments/all.yml"
RUN = ("run", "playbooks/all.yml", "--yes")
KIOSK = {
    "tasks/inventory/kiosk.yml": "script: kiosk.ps1\n",
    "tasks/inventory/kiosk.ps1": "'no'\n",
}
EXCEPTION = (
    "- {item: software/alpha, target: tenants, state: absent, where: \"facts.inventory.kiosk == 'yes'\", priority: 1}\n"
)


def outcomes(one: Fleet, computer: str = "pc001") -> dict[str, tuple[str, str]]:
    actions = one.show(computer)["session"]["actions"]
    return {row["id"]: (row["outcome"], row["outcome_reason"]) for row in actions}


def message(one: Fleet, item: str, computer: str = "pc001") -> str:
    actions = one.show(computer)["session"]["actions"]
    return str(next(row["message"] for row in actions if row["id"] == item))


def test_an_exception_whose_fact_is_not_known_does_not_lose_to_a_broader_rule(tmp_path: Path) -> None:
    files = {**software_files(("alpha", "beta"), ()), **KIOSK}
    files[RULES] += EXCEPTION
    files["tasks/software/beta/software.yml"] += "depends_on: [software/gamma]\n"
    files["tasks/software/gamma/software.yml"] = "winget: Vendor.gamma\ndepends_on: [software/alpha]\n"
    files[RULES] += "- {item: software/gamma, target: tenants, state: latest}\n"
    files["tasks/software/delta/software.yml"] = "winget: Vendor.delta\n"
    files[RULES] += "- {item: software/delta, target: tenants, state: latest}\n"
    specs = {"pc001": {"values": {"kiosk": "yes"}}}
    with fleet(tmp_path, 1, files, specs=specs) as one:
        explained = one.immy("explain", "pc001", "software/alpha")
        assert "unknown: not known: facts.inventory" in explained
        assert explained.count("may win: ") == 2

        one.immy(*RUN, expect=1)
        assert outcomes(one) == {
            "software/alpha": ("unknown", "undecided"),
            "software/gamma": ("skipped", "dependency"),
            "software/beta": ("skipped", "dependency"),
            "software/delta": ("success", "verified"),
        }
        assert one.statuses() == {"pc001": "partially_passed"}
        assert set(one.installs()) == {("pc001", "software/delta")}
        why = message(one, "software/alpha")
        assert all(text in why for text in ("facts.inventory", f"{RULES}:1", f"{RULES}:3"))
        assert "1 unknown" in one.sessions()[0]["reason"]
        (report,) = (one.state / "reports").glob("*.html")
        assert "depends on it" in report.read_text("utf-8")

        one.immy(*RUN)  # the first session has collected the fact
        assert outcomes(one)["software/alpha"] == ("nothing", "already_so")
        assert ("pc001", "software/alpha") not in one.installs()


NEEDS = {
    "a requirement": (
        "software/alpha",
        "winget: Vendor.alpha\nrequirements: {where: facts.inventory.kiosk == 'no'}\n",
        {},
    ),
    "a version that the manager does not know": (
        "software/alpha",
        "winget: Vendor.alpha\n",
        {"packages": {"winget": {"Vendor.alpha": {"installed": "Unknown", "candidate": "1.0"}}}},
    ),
    "a script that writes an object": (
        "software/alpha",
        "detect: {script: detect.ps1}\nversions: [{version: '1.0'}]\ninstall: {script: detect.ps1}\n",
        {"scripts": {"software/alpha": {"Version": "1.0"}}},
    ),
    "every user, and nobody is there": (
        "task/alpha",
        "registry: {key: 'HKCU\\SOFTWARE\\Lab', name: a, value: b, every_user: true}\n",
        {"users": ()},
    ),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_not_known_causes_no_action_and_holds_no_wave(tmp_path: Path, name: str) -> None:
    item, definition, spec = NEEDS[name]
    kind, _, short = item.partition("/")
    folder = f"tasks/{'software' if kind == 'software' else 'maintenance'}/{short}"
    wish = "state: latest" if kind == "software" else "mode: enforce"
    play = {"name": "all", "hosts": "tenants", "maintenance": "full", "serial": 1, "max_fail_percentage": 0}
    files = {
        **KIOSK,
        f"{folder}/{'software' if kind == 'software' else 'task'}.yml": definition,
        f"{folder}/detect.ps1": "1\n",
        RULES: f"- {{item: {item}, target: tenants, {wish}}}\n",
        "playbooks/all.yml": json.dumps([play]),
    }
    specs: dict[str, Any] = {"pc001": spec, "pc002": spec}
    with fleet(tmp_path, 2, files, specs=specs) as one:
        said = one.immy(*RUN, "--no-report", expect=1)
        assert one.statuses() == {"pc001": "partially_passed", "pc002": "partially_passed"}
        for computer in ("pc001", "pc002"):
            (outcome, reason) = outcomes(one, computer)[item]
            assert (outcome, reason) == ("unknown", "undecided" if name == "a requirement" else "detection_failed")
            assert message(one, item, computer)
        assert one.sql("SELECT count(*) FROM jobs") == [(0,)]
        assert "2 unknown" in said
        check = one.immy("run", "playbooks/all.yml", "--check", "--no-report", "--limit", "pc001", expect=None)
        assert name == "a requirement" or "1 unknown" in check


BOOK = "- {name: here, hosts: localhost, maintenance: full}\n"
HERE = {
    "inventory/hosts.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
    "playbooks/here.yml": BOOK,
    "tasks/software/app/software.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\n"
        "detect: {script: detect.sh}\nversions: [{version: '1.0'}]\ninstall: {script: install.sh}\n"
    ),
    "tasks/software/app/detect.sh": 'cat "$IMMY_FOLDER/app" 2>/dev/null\nexit 0\n',
    "tasks/maintenance/calm/task.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\ntest: test.sh\nset: test.sh\n"
    ),
    "tasks/maintenance/calm/test.sh": 'cat "$IMMY_FOLDER/calm" 2>/dev/null || echo true\n',
    "tasks/maintenance/late/task.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\ntest: test.sh\nset: set.sh\n"
        "depends_on: [software/app]\n"
    ),
    "tasks/maintenance/late/test.sh": 'test -e "$IMMY_FOLDER/late"\n',
    "tasks/maintenance/late/set.sh": (
        'touch "$IMMY_FOLDER/late"\necho perhaps >"$IMMY_FOLDER/calm"\n. "$IMMY_FOLDER/more"\n'
    ),
}


@pytest.fixture
def here(tmp_path: Path) -> Fleet:
    write(tmp_path, HERE)
    (tmp_path / "effects").mkdir()
    return Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), {"IMMY_SPOOL": str(tmp_path / "spool")})


def deploy(one: Fleet, *items: str) -> None:
    params = {"folder": str(one.root / "effects")}
    wish = {True: {"mode": "enforce"}, False: {"state": "latest"}}
    rules = [
        {"item": item, "target": "localhost", "params": params, **wish[item.startswith("task/")]} for item in items
    ]
    write(one.root, {"playbooks/deployments/here.yml": json.dumps(rules)})


posix = pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")


@posix
def test_what_is_unknown_after_its_own_effect_is_failed(here: Fleet) -> None:
    deploy(here, "software/app")
    write(here.root, {"tasks/software/app/install.sh": 'echo \'{"a": 1}\' >"$IMMY_FOLDER/app"\n'})
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report", expect=1)
    assert outcomes(here, "localhost") == {"software/app": ("failed", "detection_failed")}
    assert "must write the installed version" in message(here, "software/app", "localhost")
    assert here.statuses() == {"localhost": "failed"}


@posix
@pytest.mark.parametrize("breaks", [False, True], ids=["only what it did not touch", "what it did as well"])
def test_what_becomes_unknown_until_the_verification(here: Fleet, breaks: bool) -> None:
    deploy(here, "software/app", "task/calm", "task/late")
    write(
        here.root,
        {
            "tasks/software/app/install.sh": 'echo 1.0 >"$IMMY_FOLDER/app"\n',
            "effects/more": 'echo \'{"a": 1}\' >"$IMMY_FOLDER/app"\n' if breaks else "true\n",
        },
    )
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report", expect=1)
    assert outcomes(here, "localhost") == {
        "software/app": ("failed", "detection_failed") if breaks else ("success", "verified"),
        "task/calm": ("unknown", "detection_failed"),
        "task/late": ("success", "verified"),
    }
    assert here.statuses() == {"localhost": "partially_passed"}
