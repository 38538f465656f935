from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.fleet.load import load_fleet, load_playbook
from immy_nornir.model.deployments import Desired, Scope, StateKind, TaskMode
from immy_nornir.model.items import (
    Context,
    Declarative,
    DetectScript,
    DisplayName,
    ExitMeaning,
    FileState,
    InstallerType,
    OrderClass,
    OrderPlace,
    PackageManager,
    PackageState,
    Parameter,
    ParameterType,
    Platform,
    Prerequisite,
    RebootNeed,
    RegistryValue,
    Scripts,
    ServiceState,
    Software,
    Task,
    UpgradeStrategy,
)
from immy_nornir.model.places import Place
from immy_nornir.model.playbooks import Fleet, Stage
from immy_nornir.model.values import SecretRef

from .kit import fleet, lines, write

SHA = "ab" * 32


def loaded(root: Path, files: dict[str, str]) -> Fleet:
    result, problems = load_fleet(fleet(root, files))
    assert lines(problems) == []
    return result


def software(root: Path, text: str, platform: Platform = Platform.WINDOWS, **files: str) -> Software:
    beside = {f"tasks/software/x/{name.replace('_', '.')}": body for name, body in files.items()}
    item = loaded(root, {"tasks/software/x/software.yml": text, **beside}).library.find("software/x", platform)
    assert isinstance(item, Software)
    return item


def task(root: Path, text: str, platform: Platform = Platform.WINDOWS, **files: str) -> Task:
    beside = {f"tasks/maintenance/x/{name.replace('_', '.')}": body for name, body in files.items()}
    item = loaded(root, {"tasks/maintenance/x/task.yml": text, **beside}).library.find("task/x", platform)
    assert isinstance(item, Task)
    return item


@pytest.mark.parametrize(
    ("key", "platform"),
    [
        ("winget", Platform.WINDOWS),
        ("chocolatey", Platform.WINDOWS),
        ("apt", Platform.LINUX),
        ("brew", Platform.MACOS),
    ],
)
def test_a_package_manager_alone_detects_offers_and_installs(tmp_path: Path, key: str, platform: Platform) -> None:
    item = software(tmp_path, f"{key}: Some.Name\n", platform)
    assert item.detection == item.package == PackageManager(key, "Some.Name")
    assert item.title == "x"
    assert item.platform is platform


def test_several_package_managers_give_one_definition_for_each_platform(tmp_path: Path) -> None:
    result = loaded(tmp_path, {"tasks/software/x/software.yml": "winget: A.B\napt: ab\nbrew: ab\ntitle: Both\n"})
    found = result.library.items["software/x"]
    assert {platform: item.title for platform, item in found.items()} == dict.fromkeys(Platform, "Both")
    linux = found[Platform.LINUX]
    assert isinstance(linux, Software)
    assert linux.package == PackageManager("apt", "ab")


def test_platform_blocks_override_the_top_level(tmp_path: Path) -> None:
    text = "title: T\ntimeout: 30m\nwindows: {winget: A.B, timeout: 90s}\nlinux: {apt: ab}\n"
    result = loaded(tmp_path, {"tasks/software/x/software.yml": text})
    found = result.library.items["software/x"]
    assert set(found) == {Platform.WINDOWS, Platform.LINUX}
    assert found[Platform.WINDOWS].timeout_seconds == 90
    assert found[Platform.LINUX].timeout_seconds == 1800


def test_every_key_of_software_reaches_the_model(tmp_path: Path) -> None:
    text = f"""
title: Tool
publisher: Maker
detect: {{display_name: "Tool *", publisher: "Maker*"}}
versions:
  - {{version: "1.10", url: https://example.com/tool.msi, sha256: {SHA.upper()}, architecture: x64, arguments: A=1}}
  - {{version: "1.9", url: https://example.com/tool.exe, sha256: {SHA}}}
install: {{arguments: /S}}
upgrade: uninstall_first
uninstall: {{script: s.ps1}}
repair: {{script: {{file: s.ps1, timeout: 2m}}}}
test: {{script: s.ps1}}
post_install: {{script: s.ps1}}
exit_codes: {{3010: hard_reboot, 42: retry, -1: failed}}
reboot: after
prerequisites: [software/x2, task/t, {{item: software/x3, state: ">=2.0"}}]
configuration: task/t
requirements: {{architecture: [x64, arm64], minimum_os: "10.0.19045", memory_gb: 4, disk_gb: 1.5, where: facts.a == 1}}
license: tool_license
version_scheme: semver
context: user
order: last
depends_on: software/x2
parameters: {{site: {{type: select, choices: [a, b], default: a, description: Where}}}}
timeout: 20m
"""
    item, problems = load_fleet(
        fleet(tmp_path, {"tasks/software/x/software.yml": text, "tasks/software/x/s.ps1": "1\n"})
    )
    found = item.library.find("software/x", Platform.WINDOWS)
    assert lines(problems) == []
    assert isinstance(found, Software)
    assert found.detection == DisplayName("Tool *", publisher="Maker*")
    first, second = found.releases
    assert (first.version, first.sha256, first.type, first.arguments) == ("1.10", SHA, InstallerType.MSI, "A=1")
    assert (second.type, second.architecture) == (InstallerType.EXE, None)
    assert found.install.arguments == "/S"
    assert found.upgrade is UpgradeStrategy.UNINSTALL_FIRST
    assert found.uninstall.script is not None
    assert found.uninstall.script.name == "tasks/software/x/s.ps1"
    assert found.repair is not None
    assert found.repair.script is not None
    assert found.repair.script.timeout_seconds == 120
    assert found.test is not None
    assert (found.test.text, found.test.timeout_seconds) == ("1\n", 60)
    assert found.exit_codes == {
        0: ExitMeaning.SUCCESS,
        1707: ExitMeaning.SUCCESS,
        3010: ExitMeaning.HARD_REBOOT,
        1641: ExitMeaning.HARD_REBOOT,
        1618: ExitMeaning.RETRY,
        42: ExitMeaning.RETRY,
        -1: ExitMeaning.FAILED,
    }
    assert found.reboot is RebootNeed.AFTER
    assert [(need.item, need.state) for need in found.prerequisites] == [
        ("software/x2", "installed"),
        ("task/t", "enforce"),
        ("software/x3", ">=2.0"),
    ]
    assert isinstance(found.prerequisites[0], Prerequisite)
    assert found.configuration == "task/t"
    assert found.requirements.architectures == ("x64", "arm64")
    assert (found.requirements.memory_gb, found.requirements.disk_gb) == (4, 1.5)
    assert (found.context, found.order, found.depends_on) == (Context.USER, OrderPlace.LAST, ("software/x2",))
    parameter = found.parameters["site"]
    assert isinstance(parameter, Parameter)
    assert (parameter.name, parameter.type, parameter.choices) == ("site", ParameterType.SELECT, ("a", "b"))
    assert found.timeout_seconds == 1200


def test_scripts_are_carried_with_exactly_their_text(tmp_path: Path) -> None:
    root = fleet(tmp_path, {"tasks/software/x/software.yml": "detect: {script: d.ps1}\nversions: {script: v.ps1}\n"})
    (root / "tasks/software/x/d.ps1").write_bytes("\ufeff'é'\r\n".encode())
    (root / "tasks/software/x/v.ps1").write_bytes(b"@{version = '1'}")
    result, problems = load_fleet(root)
    found = result.library.find("software/x", Platform.WINDOWS)
    assert lines(problems) == []
    assert isinstance(found, Software)
    assert isinstance(found.detection, DetectScript)
    assert found.detection.script.text == "'é'\r\n"
    assert found.versions_script is not None
    assert found.versions_script.text == "@{version = '1'}"


def test_a_shell_script_makes_an_item_for_linux(tmp_path: Path) -> None:
    item = task(tmp_path, "test: t.sh\nset: s.sh\n", Platform.LINUX, t_sh="exit 0\n", s_sh="exit 0\n")
    assert isinstance(item.body, Scripts)
    assert item.body.get is None
    assert item.body.set is not None
    assert item.body.set.timeout_seconds == 600


def test_a_declarative_task_holds_its_resources(tmp_path: Path) -> None:
    text = r"""
order: post
place: first
always: true
reboot: if_needed
parameters: {limit: {type: number, default: 5}}
registry:
  - {key: 'HKEY_LOCAL_MACHINE\Software\X', name: a, value: 1}
  - {key: 'HKLM:\Software\X', name: b, value: "{{ params.limit }}", type: dword}
  - {key: 'HKCU\Software\X', name: c, value: [a, b]}
  - {key: 'HKCU\Software\X', name: "", value: text, every_user: false}
  - {key: 'HKLM\Software\X', name: gone, absent: true}
service: {name: Spooler, state: stopped, startup: disabled}
file: {path: 'C:\x.txt', source: content.txt}
package: {name: Some.App}
"""
    item = task(tmp_path, text, content_txt="line\n")
    assert isinstance(item.body, Declarative)
    assert item.body.resources == (
        RegistryValue(r"HKLM\Software\X", "a", 1, "DWord"),
        RegistryValue(r"HKLM\Software\X", "b", "{{ params.limit }}", "DWord"),
        RegistryValue(r"HKCU\Software\X", "c", ["a", "b"], "MultiString", every_user=True),
        RegistryValue(r"HKCU\Software\X", "", "text", "String"),
        RegistryValue(r"HKLM\Software\X", "gone", None, "String", absent=True),
        ServiceState("Spooler", "stopped", "disabled"),
        FileState(r"C:\x.txt", "line\n"),
        PackageState("Some.App", "winget", "present"),
    )
    assert (item.order_class, item.order, item.always) == (OrderClass.POST, OrderPlace.FIRST, True)


def test_inventory_items_are_known_by_their_file_and_platform(tmp_path: Path) -> None:
    files = {
        "tasks/inventory/up.yml": "title: Up\nwindows: {script: up.ps1}\nlinux: {script: up.sh}\n",
        "tasks/inventory/up.ps1": "1\n",
        "tasks/inventory/up.sh": "echo 1\n",
    }
    items = loaded(tmp_path, files).library.inventory["up"]
    assert [(item.platform, item.script.name) for item in items] == [
        (Platform.WINDOWS, "tasks/inventory/up.ps1"),
        (Platform.LINUX, "tasks/inventory/up.sh"),
    ]


DEPLOYMENT = "- {item: software/x, target: %s}\n"


@pytest.mark.parametrize(
    ("target", "scope"),
    [
        ("all", Scope.ALL),
        ("tenants", Scope.ALL),
        ("laptops", Scope.ALL),
        ("red", Scope.TENANT),
        ('"red:&laptops"', Scope.TENANT),
        ('"red:!r1"', Scope.TENANT),
        ('"laptops:&red"', Scope.TENANT),
        ("r1", Scope.COMPUTER),
        ('"red:&r1"', Scope.COMPUTER),
        ('"red:blue"', Scope.ALL),
        ('"r1,r2"', Scope.ALL),
        ("[r1, r2]", Scope.ALL),
        ("r*", Scope.ALL),
    ],
)
def test_the_scope_comes_from_what_the_target_names(tmp_path: Path, target: str, scope: Scope) -> None:
    files = {"tasks/software/x/software.yml": "winget: X\n", "playbooks/deployments/d.yml": DEPLOYMENT % target}
    assert loaded(tmp_path, files).deployments[0].scope is scope


def test_an_explicit_scope_wins(tmp_path: Path) -> None:
    text = "- {item: software/x, target: r1, scope: all}\n"
    files = {"tasks/software/x/software.yml": "winget: X\n", "playbooks/deployments/d.yml": text}
    assert loaded(tmp_path, files).deployments[0].scope is Scope.ALL


@pytest.mark.parametrize(
    ("text", "desired"),
    [
        ("latest", Desired(StateKind.LATEST)),
        ("update_if_found", Desired(StateKind.UPDATE_IF_FOUND)),
        ("absent", Desired(StateKind.ABSENT)),
        ('"1.10"', Desired(StateKind.EXACT, "1.10")),
        ("8u431", Desired(StateKind.EXACT, "8u431")),
        ('">=1.10"', Desired(StateKind.AT_LEAST, "1.10")),
        ('"<= 1.10"', Desired(StateKind.AT_MOST, "1.10")),
    ],
)
def test_states_are_read_as_operators_write_them(tmp_path: Path, text: str, desired: Desired) -> None:
    deployment = f"- {{item: software/x, target: all, state: {text}}}\n"
    files = {"tasks/software/x/software.yml": "winget: X\n", "playbooks/deployments/a/b/d.yml": deployment}
    assert loaded(tmp_path, files).deployments[0].state == desired


def test_deployments_keep_the_order_of_files_and_their_places(tmp_path: Path) -> None:
    files = {
        "tasks/maintenance/t/task.yml": "service: {name: a, state: running}\n"
        "parameters: {p: {type: secret}, q: {type: list}}\n",
        "playbooks/deployments/b.yml": "- {item: task/t, target: all}\n",
        "playbooks/deployments/a/z.yaml": """
- item: task/t
  target: [red, blue]
  mode: audit
  enforcement: onboarding
  priority: 7
  instance: one
  note: why
  params:
    p: {secret: env:TOKEN}
    q: [1, {a: b}]
""",
    }
    first, second = loaded(tmp_path, files).deployments
    assert (first.place, second.place) == (
        Place("playbooks/deployments/a/z.yaml", 2, 3),
        Place("playbooks/deployments/b.yml", 1, 3),
    )
    assert (first.target, first.mode, first.priority, first.key) == ("red,blue", TaskMode.AUDIT, 7, ("task/t", "one"))
    assert first.params["p"].value == SecretRef("env:TOKEN", Place("playbooks/deployments/a/z.yaml", 10, 8))
    assert first.params["q"].value == [1, {"a": "b"}]
    assert second.mode is TaskMode.ENFORCE


def test_plays_are_read_with_their_options_as_written(tmp_path: Path) -> None:
    text = """
- name: weekly
  hosts: tenants:!red
  maintenance: resolution
  items: software/*
  options: {reboot: force, window: "22:30", max_reboots: 2}
  vars: {a: 1}
  serial: [2, 10%, 100%]
  max_fail_percentage: 12.5
  order: shuffle
  tags: [one]
- hosts: [red, blue]
"""
    playbook, problems = load_playbook(tmp_path, write(tmp_path, {"playbooks/p.yml": text}) / "playbooks/p.yml")
    assert lines(problems) == []
    first, second = playbook.plays
    assert (first.name, first.hosts, first.maintenance, first.items) == (
        "weekly",
        "tenants:!red",
        "resolution",
        ("software/*",),
    )
    assert {name: each.value for name, each in first.options.items()} == {
        "reboot": "force",
        "window": "22:30",
        "max_reboots": 2,
    }
    assert first.options["window"].place == Place("playbooks/p.yml", 6, 36)
    assert (first.serial, first.max_fail_percentage, first.order, first.tags) == (
        ("2", "10%", "100%"),
        12.5,
        "shuffle",
        ("one",),
    )
    assert (second.name, second.hosts, second.maintenance) == ("red,blue", "red,blue", "full")
    assert playbook.file == "playbooks/p.yml"


def test_the_fleets_own_types_stand_beside_the_built_in_ones(tmp_path: Path) -> None:
    text = "- name: look\n  stages: [connect, resolve, detect, plan, report]\n  looks_at: [task]\n  does: [audit]\n"
    types = loaded(tmp_path, {"playbooks/types.yml": text}).types
    assert set(types) == {"full", "resolution", "detection", "inventory", "look"}
    assert types["look"].stages[0] is Stage.CONNECT
    assert not types["look"].executes


def test_an_empty_fleet_loads(tmp_path: Path) -> None:
    result = loaded(tmp_path, {})
    assert (result.deployments, dict(result.library.items)) == ((), {})


def test_merge_keys_and_aliases_hold_in_our_files(tmp_path: Path) -> None:
    text = r"""
registry:
  - &one {key: 'HKLM\A', name: x, value: 1}
  - {<<: *one, key: 'HKLM\B'}
"""
    item = task(tmp_path, text)
    assert isinstance(item.body, Declarative)
    assert item.body.resources[1] == RegistryValue(r"HKLM\B", "x", 1, "DWord")
