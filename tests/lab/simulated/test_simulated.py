"""Simulated computers: what reading says, what jobs do, and what a reboot ends."""

from __future__ import annotations

import base64
import fnmatch
import threading
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from immy_nornir.lab import ComputerSpec, Knobs, Lab
from immy_nornir.model.values import Json
from tests.lab.client import Reply, ask, protocol
from tests.waiting import all_end, eventually, turns

PC = ComputerSpec(
    "pc1",
    "127.1.0.1",
    users=("CORP\\anna",),
    software=(
        {"name": "7-Zip 23.01 (x64)", "version": "23.01", "publisher": "Igor Pavlov"},
        {"name": "Zoom", "version": "6.1", "user": "CORP\\anna"},
        {"name": "Old", "version": "1", "view": "32", "product_code": "{11111111-2222-3333-4444-555555555555}"},
    ),
    registry={"HKLM": {"SOFTWARE\\Contoso": {"Port": 8080, "Names": ["a", "b"]}}},
    services={"Spooler": {"state": "running", "startup": "automatic"}},
    files={"C:\\Contoso\\a.txt": {"content": "hello", "version": "1.2"}},
    packages={"winget": {"Google.Chrome": {"installed": "130.0", "candidate": "131.0"}}},
    compliant=("task/good",),
    values={"task/good": {"size": 5}, "printers": ["p1"], "software/dynamic": [{"version": "2.0"}]},
    scripts={"software/zip": "1.2"},
)


def job(item: str, kind: str = "installer", number: int = 1, **work: Any) -> dict[str, Any]:
    return {
        "job_id": f"s1/{item.rpartition('/')[2]}/{number}",
        "kind": kind,
        "work": work,
        "context": "system",
        "deadline_seconds": 60,
        "item": item,
        "action": "a1",
    }


def start(lab: Lab, spec: ComputerSpec, one: Mapping[str, Any], wait: float = 5) -> Any:
    operation: dict[str, Any] = {"job": one, "secrets": {}, "wait_seconds": wait}
    return ask(protocol(lab, spec), ("job.start", operation)).result()


def read(lab: Lab, spec: ComputerSpec, op: str, **params: Any) -> Any:
    return ask(protocol(lab, spec), (op, params)).result()


@pytest.mark.parametrize(
    ("op", "params", "expected"),
    [
        (
            "registry",
            {
                "values": [
                    {"key": "HKLM:\\software\\contoso", "name": "port"},
                    {"key": "HKLM\\SOFTWARE\\Contoso", "name": "x"},
                ]
            },
            [{"exists": True, "type": "DWord", "value": 8080}, {"exists": False, "type": None, "value": None}],
        ),
        (
            "service",
            {"names": ["spooler", "nothing"]},
            {"spooler": {"state": "running", "startup": "automatic"}, "nothing": None},
        ),
        (
            "packages",
            {"manager": "winget", "names": ["google.chrome", "x"]},
            {
                "google.chrome": {"installed": "130.0", "candidate": "131.0"},
                "x": {"installed": None, "candidate": None},
            },
        ),
        ("driver", {"name": "x.inf"}, {"version": None}),
        ("script", {"purpose": "test", "item": "task/good"}, True),
        ("script", {"purpose": "test", "item": "task/bad"}, False),
        ("script", {"purpose": "get", "item": "task/good"}, {"size": 5}),
        ("script", {"purpose": "inventory", "item": "printers"}, ["p1"]),
        ("script", {"purpose": "inventory", "item": "inventory/printers"}, ["p1"]),
        ("script", {"purpose": "detect", "item": "software/zip"}, "1.2"),
        ("script", {"purpose": "detect", "item": "software/none"}, None),
        ("script", {"purpose": "versions", "item": "software/dynamic"}, [{"version": "2.0"}]),
        ("script", {"purpose": "versions", "item": "software/none"}, []),
    ],
)
def test_reading_says_what_the_spec_says(op: str, params: Mapping[str, Json], expected: Json) -> None:
    with Lab([PC], https_port=None) as lab:
        assert ask(protocol(lab, PC), (op, params)).result() == expected


def test_software_is_listed_with_scope_and_view() -> None:
    with Lab([PC], https_port=None) as lab:
        found = {one["name"]: one for one in read(lab, PC, "software")}
    assert {name: (one["scope"], one["view"]) for name, one in found.items()} == {
        "7-Zip 23.01 (x64)": ("machine", "64"),
        "Zoom": ("user", "64"),
        "Old": ("machine", "32"),
    }
    assert found["Old"]["product_code"] == "{11111111-2222-3333-4444-555555555555}"
    assert found["Zoom"]["sid"].startswith("S-1-5-21-")


def test_a_failed_operation_says_why_and_the_next_one_runs() -> None:
    with Lab([PC], https_port=None) as lab:
        reply = ask(protocol(lab, PC), ("registry", {"values": [{"key": "HKXX\\A", "name": ""}]}), ("identity", {}))
    assert [(one["id"], one["status"]) for one in reply.frames[:2]] == [("o0", "failed"), ("o1", "ok")]
    assert "HKXX" in reply.frames[0]["error"]


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("7-Zip *", "7-Zip 24.08"),
        ("7-Zip*", "7-Zip"),
        ("7-zip * (x64*)", "7-zip 24.08 (x64)"),
        ("7-Zip 2?.01*", "7-Zip 20.01"),
    ],
)
def test_an_upgrade_replaces_the_older_entry_by_one_that_is_found_again(glob: str, name: str) -> None:
    expect = {"display_name": glob, "version": "24.08", "publisher": "Igor Pavlov"}
    with Lab([PC], https_port=None) as lab:
        status = start(lab, PC, job("software/7zip", expect=expect))
        names = {one["name"]: one["version"] for one in read(lab, PC, "software") if one["name"].startswith("7")}
        assert (status["state"], status["created"], status["result"]["exit_code"]) == ("finished", True, 0)
        assert base64.b64decode(status["output"])
        assert names == {name: "24.08"}
        assert fnmatch.fnmatch(name.lower(), glob.lower())


def test_a_package_leaves_an_entry_and_takes_it_away() -> None:
    package: dict[str, Any] = {"manager": "winget", "name": "A.B"}
    with Lab([PC], https_port=None) as lab:
        before = read(lab, PC, "software")
        expect = {"display_name": "A and B", "version": "1"}
        start(lab, PC, job("software/ab", "package", **package, action="install", version="1", expect=expect))
        assert len(read(lab, PC, "software")) == len(before) + 1
        start(lab, PC, job("software/ab", "package", 2, **package, action="uninstall"))
        assert read(lab, PC, "software") == before


@pytest.mark.parametrize(
    "work",
    [
        {"command": "msiexec /x {11111111-2222-3333-4444-555555555555} /qn /norestart"},
        {"expect": {"display_name": "Old"}},
    ],
)
def test_uninstalling_removes_the_entry(work: Mapping[str, Any]) -> None:
    with Lab([PC], https_port=None) as lab:
        start(lab, PC, job("software/old", uninstall=True, **work))
        assert [one["name"] for one in read(lab, PC, "software")] == ["7-Zip 23.01 (x64)", "Zoom"]


def test_an_installer_that_breaks_ends_well_and_leaves_nothing() -> None:
    spec = ComputerSpec("pc2", "127.1.0.2", breaks=("software/z",))
    with Lab([spec], https_port=None) as lab:
        status = start(lab, spec, job("software/z", expect={"display_name": "Z", "version": "1"}))
        assert status["result"]["exit_code"] == 0
        assert read(lab, spec, "software") == []


def test_exit_codes_come_in_their_order_and_3010_leaves_a_pending_reboot() -> None:
    spec = ComputerSpec("pc2", "127.1.0.2", exits={"software/x": [1618, 3010]})
    with Lab([spec], https_port=None) as lab:
        codes = [start(lab, spec, job("software/x", number=n))["result"]["exit_code"] for n in (1, 2, 3)]
        assert codes == [1618, 3010, 3010]
        assert read(lab, spec, "identity")["pending_reboots"] == ["component_based_servicing"]


def test_1641_reboots_by_itself() -> None:
    spec = ComputerSpec("pc2", "127.1.0.2", exits={"software/x": 1641})
    with Lab([spec], https_port=None, knobs=Knobs(hard_reboot_delay=0.2)) as lab:
        lab.hold()  # the client has left when it goes down
        start(lab, spec, job("software/x"), wait=0)
        lab.release()
        wait_for(lab, "booted")
        identity = read(lab, spec, "identity")
        assert (identity["boot"]["id"], identity["pending_reboots"]) == ("101", [])


def test_a_packages_job_changes_the_package() -> None:
    with Lab([PC], https_port=None) as lab:
        start(lab, PC, job("software/chrome", "package", manager="winget", name="Google.Chrome", action="install"))
        packages = read(lab, PC, "packages", manager="winget", names=["Google.Chrome"])
        assert packages["Google.Chrome"]["installed"] == "131.0"


def test_declared_resources_are_set_with_before_and_after() -> None:
    resources = [
        {"resource": "registry", "key": "HKLM\\SOFTWARE\\Contoso", "name": "Port", "value": 1, "type": "DWord"},
        {"resource": "registry", "key": "HKCU\\Software\\C", "name": "A", "value": "b", "type": "String"},
        {"resource": "service", "name": "Spooler", "state": "stopped", "startup": "disabled"},
        {"resource": "file", "path": "C:\\Contoso\\a.txt", "absent": True},
        {"resource": "package", "name": "Google.Chrome", "manager": "winget", "state": "latest"},
    ]
    with Lab([PC], https_port=None) as lab:
        value = start(lab, PC, job("task/t", "declare", resources=resources))["result"]["value"]
        assert [(one["before"], one["after"]) for one in (value[0], value[1], value[4])] == [
            (8080, 1),
            (None, "b"),
            ("130.0", "131.0"),
        ]
        assert value[3]["after"] is None
        assert read(lab, PC, "service", names=["Spooler"])["Spooler"] == {"state": "stopped", "startup": "disabled"}
        user = read(lab, PC, "registry", values=[{"key": "HKCU\\Software\\C", "name": "A"}])[0]
        assert [one["value"] for one in user["users"].values()] == ["b"]


def test_a_tasks_job_makes_it_compliant() -> None:
    with Lab([PC], https_port=None) as lab:
        start(lab, PC, job("task/bad", "script", script="exit 0", language="powershell"))
        assert read(lab, PC, "script", purpose="test", item="task/bad") is True


def test_a_job_of_one_id_is_started_once() -> None:
    with Lab([PC], https_port=None, knobs=Knobs(install_seconds=0.3)) as lab:
        one = job("software/x", expect={"display_name": "X", "version": "1"})
        replies: list[Any] = []
        threads = [threading.Thread(target=lambda: replies.append(start(lab, PC, one))) for _ in range(4)]
        for thread in threads:
            thread.start()
        all_end(threads)
        assert sorted(reply["created"] for reply in replies) == [False, False, False, True]
        assert {reply["state"] for reply in replies} == {"finished"}
        assert [len(lab.events(name)) for name in ("job_created", "installer_started", "installer_finished")] == [
            1,
            1,
            1,
        ]


def test_a_job_outlives_the_connection_and_its_output_is_read_by_offset() -> None:
    with Lab([PC], https_port=None, knobs=Knobs(install_seconds=0.3)) as lab:
        one = job("software/x")
        assert start(lab, PC, one, wait=0)["state"] == "running"
        done = read(lab, PC, "job.wait", job_id=one["job_id"], **{"from": 3, "wait_seconds": 10})
        assert done["state"] == "finished"
        assert base64.b64decode(done["output"]) == b"tware/x: installer done\r\n"
        assert read(lab, PC, "job.output", job_id=one["job_id"], **{"from": done["next_offset"]})["output"] == ""


def test_a_job_is_stopped() -> None:
    with Lab([PC], https_port=None, knobs=Knobs(install_seconds=60)) as lab:
        one = job("software/x")
        start(lab, PC, one, wait=0)
        assert read(lab, PC, "job.stop", job_id=one["job_id"]) == {"stopped": True}
        status = read(lab, PC, "job.wait", job_id=one["job_id"], **{"from": 0, "wait_seconds": 0})
        assert (status["state"], status["result"]["error"], status["result"]["exit_code"]) == (
            "finished",
            "stopped",
            None,
        )


def test_a_reboot_loses_what_runs_and_comes_back_as_another_boot() -> None:
    with Lab([PC], https_port=None, knobs=Knobs(install_seconds=60, reboot_seconds=0.2)) as lab:
        one = job("software/x")
        start(lab, PC, one, wait=0)
        boot = read(lab, PC, "identity")["boot"]
        assert read(lab, PC, "reboot", delay_seconds=0.1, reason="r", boot=boot) == {"asked": True}
        wait_for(lab, "booted")
        after = read(lab, PC, "identity")["boot"]
        assert after["id"] != boot["id"]
        assert read(lab, PC, "job.wait", job_id=one["job_id"], **{"from": 0, "wait_seconds": 5})["state"] == "lost"
        assert [one["job_id"] for one in lab.events("job_lost")] == ["s1/x/1"]
        refused: Reply = ask(protocol(lab, PC), ("reboot", {"delay_seconds": 0, "reason": "r", "boot": boot}))
        assert refused.frames[0]["status"] == "failed"


def wait_for(lab: Lab, event: str, count: int = 1) -> None:
    eventually(lambda: len(lab.events(event)) >= count, event)


def test_jobs_that_are_held_back_end_when_they_are_released() -> None:
    with Lab([PC], https_port=None) as lab:
        lab.hold()
        begun = start(lab, PC, job("software/7zip"), wait=0)
        assert (begun["state"], begun["result"]) == ("running", None)
        assert not lab.events("installer_finished")
        lab.release()
        again = start(lab, PC, job("software/7zip"))
    assert (again["state"], again["created"], again["result"]["exit_code"]) == ("finished", False, 0)
    assert len(lab.events("installer_started")) == 1
    assert len(lab.events("installer_finished")) == 1


def test_who_reboots_stays_away_until_it_is_released() -> None:
    with Lab([PC], https_port=None, knobs=Knobs(reboot_seconds=0)) as lab:
        lab.hold()
        lab.reboot("pc1")
        assert lab.status()["up"] == 0
        with pytest.raises(requests.exceptions.ConnectionError):
            read(lab, PC, "identity")
        assert not lab.events("booted")
        lab.release()
        wait_for(lab, "booted")
        assert read(lab, PC, "identity")["boot"]["id"] == "101"


def test_who_is_connected_has_its_answer_before_the_computer_goes_down() -> None:
    with Lab([PC], https_port=None) as lab:
        boot = read(lab, PC, "identity")["boot"]
        client = protocol(lab, PC)
        shell = client.open_shell()
        assert read(lab, PC, "reboot", delay_seconds=0, reason="r", boot=boot) == {"asked": True}
        down = threading.Event()
        threading.Timer(0.5, down.set).start()
        for _ in turns("half a second"):
            assert not lab.events("reboot")
            if down.is_set():
                break
        client.close_shell(shell)
        wait_for(lab, "booted")
