"""Mistakes in a fleet's files: all are told at once with place, what, and what to try, and nothing is run."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.world import Done, Fleet, registry_task, software

# path, content, [(line, words of the problem, words of the advice)]
MISTAKES: list[tuple[str, object, list[tuple[int, str, str]]]] = [
    (
        "playbooks/one.yml",
        (
            "- name: one\n  hosts: tenants\n  maintenence: full\n- name: two\n  hosts: tenants\n  maintenance: fulll\n"
            "  options: {reboot: sometimes}\n- name: three\n  hosts: tenans\n  items: [software/tol]\n"
        ),
        [
            (3, "maintenence", "maintenance"),
            (6, "fulll", "full"),
            (7, "sometimes", "automatic"),
            (9, "tenans", "tenants"),
            (10, "software/tol", "tool"),
        ],
    ),
    (
        "playbooks/deployments/some.yml",
        (
            "- item: software/tol\n  target: tenants\n- item: software/tool\n  target: workstatons\n"
            "- item: software/tool\n  target: tenants\n  state: 24.10\n- item: task/setting\n  target: tenants\n"
            "  mode: enforc\n- item: task/setting\n  target: pc1\n  where: facts.chassis = 'laptop'\n"
            "- item: task/setting\n  target: pc2\n  params: {colour: red}\n"
            "- item: task/needs\n  target: pc2\n- item: software/tool\n  target: pc3\n  state: lattest\n"
        ),
        [
            (1, "software/tol", "tool"),
            (3, "workstatons", "workstations"),
            (7, "24.10", "quote it"),
            (10, "enforc", "enforce"),
            (11, "facts.chassis = 'laptop'", "quotes"),
            (16, "colour", ""),
            (17, "server", ""),
            (21, "lattest", "latest"),
        ],
    ),
    (
        "playbooks/deployments/ties.yml",
        (
            "- item: software/other\n  target: tenants\n  state: latest\n"
            "- item: software/other\n  target: tenants\n  state: absent\n"
        ),
        [(4, "ties.yml:1", "priority")],
    ),
    ("tasks/software/no_way/software.yml", "title: No way\n", [(1, "detect", "")]),
    (
        "tasks/software/bad_sum/software.yml",
        (
            'title: Bad sum\ndetect: {display_name: "Bad sum*"}\nversions:\n  - {version: "1", url: "https://a.b/1", '
            "sha256: abc}\n"
        ),
        [(4, "abc", "")],
    ),
    (
        "tasks/maintenance/no_script/task.yml",
        "title: No script\ntest: tset.ps1\n",
        [(2, "tset.ps1", "test.ps1")],
    ),
    (
        "tasks/maintenance/round/task.yml",
        "prerequisites: [task/about]\nregistry: {key: 'HKLM\\A', name: a, value: 1}\n",
        [(1, "task/about", "")],
    ),
    (
        "tasks/maintenance/twice/task.yml",
        "title: one\ntitle: two\nregistry: {key: 'HKLM\\A', name: a, value: 1}\n",
        [(2, "title", "")],
    ),
    (
        "playbooks/types.yml",
        "- name: odd\n  stages: [connect, detect, resolve]\n- name: full\n  stages: [connect]\n",
        [(2, "'resolve' cannot come after 'detect'", "the order is"), (3, "built-in", "")],
    ),
    (
        "inventory/more.yml",
        (
            "all:\n  hosts:\n    pc9: {ansible_connection: winrm, ansible_port: high}\n"
            "    pc8: {immy_options: {rebot: force}}\n"
            "    pc7: {ansible_connection: psrp, ansible_psrp_auth: ntml}\n"
            "    pc6: {ansible_winrm_read_timeout_sec: 20, ansible_winrm_scheme: https}\n"
            "    pc5: {ansible_connection: winrm, immy_certificate_sha256: abc}\n"
        ),
        [
            (3, "ansible_port", "65535"),
            (4, "rebot", "reboot"),
            (5, "ntml", "ntlm"),
            (6, "read time-out (20)", "ansible_winrm_read_timeout_sec"),
            (7, "immy_certificate_sha256", "64"),
        ],
    ),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet with a mistake of every kind."""
    fleet = Fleet(tmp_path_factory.mktemp("broken"))
    hosts: dict[str, object] = {"pc1": {}, "pc2": {}, "pc3": {}}
    fleet.write(
        "inventory/all.yml", {"tenants": {"children": {"acme": {"hosts": hosts}}}, "workstations": {"hosts": hosts}}
    )
    fleet.write("tasks/software/tool/software.yml", software("The Tool"))
    fleet.write("tasks/software/other/software.yml", software("The Other"))
    fleet.write("tasks/maintenance/setting/task.yml", registry_task("setting"))
    fleet.write("tasks/maintenance/no_script/test.ps1", "$true\n")
    parameters = {"server": {"type": "text", "required": True}}
    fleet.write("tasks/maintenance/needs/task.yml", registry_task("needs", parameters=parameters))
    for path, content, _ in MISTAKES:
        fleet.write(path, content)
    return fleet


@pytest.fixture(scope="module")
def linted(broken: Fleet) -> Done:
    """What lint says of it."""
    return broken.immy("lint")


CASES = [(path, *one) for path, _, expected in MISTAKES for one in expected]


@pytest.mark.parametrize(("path", "line", "what", "advice"), CASES, ids=[f"{case[0]}:{case[1]}" for case in CASES])
def test_each_mistake_is_told_with_its_place_and_what_to_try(
    linted: Done, path: str, line: int, what: str, advice: str
) -> None:
    done = linted
    assert done.code == 2
    told = [text for text in (done.out + done.err).splitlines() if text.startswith(f"{path}:{line}:")]
    assert any(what in text and advice in text for text in told), "\n".join([*told, "---", str(done)])


@pytest.mark.parametrize("command", [("run", "playbooks/one.yml", "--yes"), ("run", "--on", "pc1", "--yes")])
def test_a_run_over_broken_files_tells_them_and_leaves_no_run(broken: Fleet, command: tuple[str, ...]) -> None:
    done = broken.immy(*command)
    assert done.code == 2
    assert "nothing was run" in done.err
    assert len(re.findall(r"^\S+:\d+:\d+: error: ", done.err, re.MULTILINE)) > 10
    history = broken.root / ".immy" / "history.db"
    if history.exists():
        with sqlite3.connect(history) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_copy_of_the_sample_is_clean(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    made = Fleet(tmp_path).immy("init", str(target))
    assert made.code == 0, made
    done = Fleet(target).immy("lint")
    assert done.code == 0, done
    assert "0 errors, 0 warnings" in done.out + done.err
    assert Fleet(target).immy("run", "playbooks/detection.yml", "--check", "--limit", "nobody*").code == 2


@pytest.fixture(scope="module")
def sample(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A copy of the sample."""
    folder = tmp_path_factory.mktemp("sample")
    for name in ("inventory", "playbooks", "tasks"):
        shutil.copytree(root / name, folder / name)
    return Fleet(folder)


NEAR = {
    "command": (("rnu",), "run"),
    "command of a group": (("sessions", "lst"), "list"),
    "option": (("run", "playbooks/full.yml", "--rebot", "skip"), "--reboot"),
    "item of a run": (("run", "--on", "sd-xray-1", "--item", "7zpi"), "7zip"),
    "type": (("run", "--on", "sd-xray-1", "--type", "detecton"), "detection"),
    "computer to explain": (("explain", "sd-xray-l", "7zip"), "sd-xray-1"),
    "item to explain": (("explain", "sd-xray-1", "firefoxx"), "firefox"),
    "computers of a run": (("run", "--on", "smile_dentl", "--type", "detection"), "smile_dental"),
    "playbook": (("run", "playbooks/fulll.yml"), "playbooks/full.yml"),
    "option of a session": (("run", "--on", "sd-xray-1", "-o", "max_rebots=3", "--yes"), "max_reboots"),
}


@pytest.mark.parametrize("what", NEAR)
def test_a_word_that_is_nearly_right_is_answered_with_the_right_one(sample: Fleet, what: str) -> None:
    command, right = NEAR[what]
    done = sample.immy(*command)
    assert done.code == 2, done
    assert right in done.err, done
    assert done.out == ""
