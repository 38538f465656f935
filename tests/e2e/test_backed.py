"""Sessions on computers whose PowerShell is a real one, in both editions: scripts really run, effects are read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import world

pytestmark = pytest.mark.slow
EDITIONS = {"desktop": "5.1", "core": ""}
KEY = r"SOFTWARE\E2E"

SCRIPTS = {
    "scripted/test.ps1": (
        "param([string]$wanted)\n"
        "[Microsoft.Win32.Registry]::GetValue('HKEY_LOCAL_MACHINE\\SOFTWARE\\E2E', 'Scripted', '') -ceq $wanted\n"
    ),
    "scripted/set.ps1": (
        "param([string]$wanted)\n"
        "if (-not (Test-Path 'HKLM:\\SOFTWARE\\E2E')) { New-Item -Path 'HKLM:\\SOFTWARE\\E2E' -Force | Out-Null }\n"
        "Set-ItemProperty -Path 'HKLM:\\SOFTWARE\\E2E' -Name Scripted -Value $wanted\n'set it'\n"
    ),
    "watched/get.ps1": "@{ name = $env:COMPUTERNAME; numbers = @(1, 2, 3); text = 'gr\u00fc\u00dfe' }\n",
    "ends_all/test.ps1": "[Environment]::Exit(7)\n",
    "hangs/test.ps1": "[System.Threading.Thread]::Sleep(600000)\n$true\n",
    "reads/test.ps1": "$rest = [Console]::In.ReadToEnd()\n$rest.Length -eq 0\n",
    "throws/test.ps1": "throw 'the disk is not there'\n",
    "chatty/test.ps1": "Write-Warning 'careful'\nWrite-Host 'words'\n[Console]::WriteLine('more words')\n$true\n",
    "no_verdict/test.ps1": "Get-Item -Path nowhere\n",
}
AUDITS = ("ends_all", "hangs", "reads", "throws", "chatty", "no_verdict")


def _files() -> dict[str, object]:
    tasks: dict[str, dict[str, Any]] = {
        "scripted": {
            "parameters": {"wanted": {"type": "text", "default": "it's 5 o'clock; $(exit 9) \u00e9"}},
            "test": "test.ps1",
            "set": "set.ps1",
        },
        "watched": {"get": "get.ps1"},
        "declared": {
            "registry": [
                {"key": rf"HKLM\{KEY}", "name": "Number", "value": 7},
                {"key": rf"HKLM\{KEY}", "name": "Words", "value": ["a", "b"]},
                {"key": rf"HKLM\{KEY}", "name": "Gone", "absent": True},
            ]
        },
        **{name: {"test": {"file": "test.ps1", "timeout": 2 if name == "hangs" else 120}} for name in AUDITS},
    }
    software = {
        "by_registry": world.software("Seven Zip"),
        "by_script": {**world.software("By script"), "detect": {"script": "detect.ps1"}},
    }
    return {
        **{f"tasks/maintenance/{name}/task.yml": one for name, one in tasks.items()},
        **{f"tasks/maintenance/{name}": text for name, text in SCRIPTS.items()},
        **{f"tasks/software/{name}/software.yml": one for name, one in software.items()},
        "tasks/software/by_script/detect.ps1": "'1.0'\n",
        "playbooks/deployments/all.yml": [
            {"item": "software/by_registry", "target": "tenants", "state": "latest"},
            {"item": "software/by_script", "target": "tenants", "state": "installed"},
            {"item": "task/scripted", "target": "tenants", "mode": "enforce"},
            {"item": "task/declared", "target": "tenants", "mode": "enforce"},
            {"item": "task/watched", "target": "tenants", "mode": "monitor"},
            *({"item": f"task/{name}", "target": "tenants", "mode": "audit"} for name in AUDITS),
        ],
    }


@pytest.fixture(scope="module")
def ran(
    powershell: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, world.Run], Lab, dict[str, str]]]:
    """A detection run and then a full run over a computer; the registries between them.

    `tests/remote/windows` runs the same scripts in both editions; sessions over both are left to the full counts.
    """
    editions = EDITIONS if request.config.getoption("--soak") else dict([*EDITIONS.items()][:1])
    computers = [
        world.spec(
            name,
            number,
            edition=edition,
            software=({"name": "Seven Zip 2.0 (x64)", "version": "2.0", "publisher": "Igor"},),
            registry={"HKLM": {KEY: {"Gone": "still here"}}},
        )
        for number, (name, edition) in enumerate(editions.items())
    ]
    folder = tmp_path_factory.mktemp("backed")
    with world.up(folder, computers, _files(), powershell=[powershell]) as (fleet, lab):
        before = {name: _registry_text(lab, name) for name in editions}
        runs = {"detection": fleet.run("--on", "tenants", "--type", "detection")}
        same = {name: str(before[name] == _registry_text(lab, name)) for name in editions}
        asked = ("task/scripted", "task/declared", "task/watched", "software/*")
        runs["full"] = fleet.run("--on", "tenants", *(word for item in asked for word in ("--item", item)))
        yield runs, lab, same


def _registry_text(lab: Lab, name: str) -> str:
    return (Path(lab.folder) / "computers" / name / "registry.json").read_text("utf-8-sig")


def _values(lab: Lab, name: str) -> dict[str, Any]:
    hive = json.loads(_registry_text(lab, name))["HKLM"]
    return next(values for key, values in hive.items() if key.lower() == KEY.lower())


both = pytest.mark.parametrize("name", EDITIONS)


@both
@pytest.mark.sampled(1)
def test_detection_finds_what_is_there_and_changes_nothing(ran: Any, name: str) -> None:
    runs, _, same = ran
    actions = runs["detection"].actions(name)
    assert actions["software/by_registry"]["found"] == "2.0"
    assert actions["software/by_script"]["found"] == "1.0"
    assert actions["task/declared"]["type"] == actions["task/scripted"]["type"] == "enforce"
    assert same[name] == "True"


CULPRITS = {
    "task/ends_all": "ended the whole process",
    "task/hangs": "did not end within its time-out",
    "task/throws": "the disk is not there",
    "task/no_verdict": "a test must end with true or false; it ended with nothing (",
}


@both
@pytest.mark.sampled(1)
def test_a_script_that_goes_wrong_costs_only_its_own_item(ran: Any, name: str) -> None:
    actions = ran[0]["detection"].actions(name)
    for item, words in CULPRITS.items():
        assert actions[item]["outcome_reason"] == "detection_failed", actions[item]
        assert words in actions[item]["why"] + actions[item]["message"]
    others = {item: one["outcome"] for item, one in actions.items() if item not in CULPRITS}
    assert set(others.values()) <= {"success", "nothing", "left"}, others
    assert others["task/reads"] == others["task/chatty"] == "nothing"


@both
@pytest.mark.sampled(1)
def test_what_jobs_did_is_in_the_computers_registry_and_read_back(ran: Any, name: str) -> None:
    runs, lab, _ = ran
    outcomes = runs["full"].outcomes(name)
    assert outcomes["task/declared"] == ("enforce", "success", "verified")
    assert outcomes["task/scripted"] == ("enforce", "success", "verified")
    assert runs["full"].status(name) == "passed"
    values = _values(lab, name)
    assert values["Number"] == 7
    assert values["Words"] == ["a", "b"]
    assert "Gone" not in values
    assert values["Scripted"] == "it's 5 o'clock; $(exit 9) \u00e9"


@both
@pytest.mark.sampled(1)
def test_each_job_ran_once_by_the_labs_log(ran: Any, name: str) -> None:
    _, lab, _ = ran
    began = sorted(str(one["job_id"]).split("-task-")[1] for one in lab.events("installer_started", name))
    assert began == ["declared-1", "scripted-1"]


@both
@pytest.mark.sampled(1)
def test_a_monitored_value_arrives_as_it_is(ran: Any, name: str) -> None:
    action = ran[0]["full"].actions(name)["task/watched"]
    assert (action["type"], action["outcome"]) == ("monitor", "nothing")
    assert "gr\u00fc\u00dfe" in action["found"]
    assert name in action["found"]
