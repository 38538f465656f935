"""What only the whole fleet can show."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.model.places import Level

from .kit import fleet, lint

X = "tasks/software/x/software.yml"
T = "tasks/maintenance/t/task.yml"
D = "playbooks/deployments/d.yml"
P = "playbooks/p.yml"
BASE = {
    X: "winget: X\n",
    T: "registry: {key: 'HKLM\\A', name: a, value: 1}\n",
}


def checked(tmp_path: Path, **files: str) -> list[str]:
    names = {"x": X, "t": T, "d": D, "p": P}
    return lint(tmp_path, {**BASE, **{names[name]: text for name, text in files.items()}})


def test_a_sound_fleet_has_no_problems(tmp_path: Path) -> None:
    assert checked(tmp_path, d="- {item: software/x, target: all}\n", p="- {hosts: tenants}\n") == []


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (
            "d",
            "- {item: software/xx, target: all}\n",
            "there is no software/xx in the library; did you mean 'software/x'?",
        ),
        ("x", "winget: X\nprerequisites: [task/u]\n", "there is no task/u in the library; did you mean 'task/t'?"),
        ("x", "winget: X\ndepends_on: [software/y]\n", "there is no software/y in the library"),
        ("x", "winget: X\nconfiguration: task/u\n", "there is no task/u in the library"),
        ("x", "winget: X\nprerequisites: [software/x]\n", "goes in a circle: software/x needs software/x"),
        ("x", "winget: X\nprerequisites: [{item: task/t, state: audit}]\n", "'audit' stands where a task's 'enforce'"),
        ("x", "winget: X\nprerequisites: [{item: software/x, state: newest}]\n", "'newest' is no state of software"),
        ("x", "winget: X\nrequirements: {where: facts.a ==}\n", "error: in the condition 'facts.a =='"),
        ("d", "- {item: task/t, target: all, where: facts.a ==}\n", "error: in the condition 'facts.a =='"),
        (
            "d",
            "- {item: task/t, target: all, where: facts.chasis == 'laptop' or immy_x}\n",
            "warning: no computer has a fact 'facts.chasis', which this condition reads; did you mean 'chassis'?",
        ),
        (
            "x",
            "winget: X\nrequirements:\n  where: facts.inventory['no such'].a > 1\n",
            "warning: no computer has a fact 'facts.inventory['no such']",
        ),
        (
            "d",
            "- {item: task/t, target: all, where: immy_busines_hours == 'x'}\n",
            "warning: no computer has a variable 'immy_busines_hours', which this condition reads; did you mean 'immy",
        ),
        ("d", "- {item: task/t, target: grean}\n", "error: 'grean' in the pattern 'grean' is neither a group nor"),
        ("d", "- {item: task/t, target: blu}\n", "did you mean 'blue'?"),
        ("d", "- {item: task/t, target: 'red:&blue'}\n", "warning: the pattern 'red:&blue' reaches no computer"),
        ("p", "- {hosts: tenant}\n", "did you mean 'tenants'?"),
        (
            "p",
            "- hosts: all\n  maintenance: full\n  items: [task/t, software/z*]\n",
            ":3:19: warning: 'software/z*' names",
        ),
        ("p", "- hosts: all\n  maintenance: detecton\n", ":2:16: error: there is no maintenance type 'detecton'"),
        ("p", "- maintenance: full\n  hosts: tenant\n", ":2:10: error: 'tenant' in the pattern"),
        ("p", "- {hosts: all, maintenance: detecton}\n", "no maintenance type 'detecton'; did you mean 'detection'?"),
        ("p", "- {hosts: all, items: [software/z*]}\n", "warning: 'software/z*' names no item of the library"),
        ("x", "detect: {display_name: 'X*'}\n", "warning: the display name 'X*' is so short"),
        ("d", "- {item: task/t, target: all, params: {token: abc}}\n", "warning: 'token' holds a secret in clear"),
        (
            "d",
            "- {item: task/t, target: all, params: {a: {password: abc}}}\n",
            "warning: 'password' in 'a' holds a secret",
        ),
        ("p", "- {hosts: all, vars: {api_key: abc}}\n", "warning: 'api_key' holds a secret in clear"),
        (
            "p",
            "- {hosts: all, options: {window: after_hours}}\n",
            "no business hours for b1, b2, r2; set immy_business",
        ),
        (
            "p",
            "- {hosts: all, options: {window: 2030-01-31T22:00/2030-01-31T02:00}}\n",
            "error: '2030-01-31T22:00/2030-01-31T02:00' is no window: it ends before it has begun",
        ),
        ("p", "- {hosts: all, options: {window: 2030-01-31T22:00/PT0H}}\n", "error: 'PT0H' is no duration"),
        ("p", "- {hosts: all, options: {window: 2030-01-31T22:00/P}}\n", "interval such as 2030-01-31T22:00/PT4H"),
    ],
)
def test_what_leads_nowhere_is_reported(tmp_path: Path, kind: str, text: str, problem: str) -> None:
    found = checked(tmp_path, **{kind: text})
    assert any(problem in line for line in found), found


def test_a_circle_through_several_items_names_itself_once(tmp_path: Path) -> None:
    files = {
        **BASE,
        X: "winget: X\nprerequisites: [software/y]\n",
        "tasks/software/y/software.yml": "winget: Y\ndepends_on: [task/t]\n",
        T: BASE[T] + "prerequisites: [software/x]\n",
    }
    found = [line for line in lint(tmp_path, files) if "circle" in line]
    assert len(found) == 1
    assert all(f"{name} needs" in found[0] for name in ("software/x", "software/y", "task/t"))
    assert found[0].startswith((f"{X}:2:17:", f"{T}:2:17:"))


def test_variables_that_some_computer_play_or_test_knows_are_not_reported(tmp_path: Path) -> None:
    conditions = (
        "immy_business_hours != ''",
        "mine == 1",
        "'red' in group_names",
        "other is defined",
        "tenant == 'red'",
    )
    rules = "".join(
        f'- {{item: task/t, target: all, instance: i{n}, where: "{one}"}}\n' for n, one in enumerate(conditions)
    )
    found = checked(tmp_path, d=rules, p="- {hosts: all, vars: {mine: 1}}\n")
    assert not [line for line in found if "variable" in line]


def test_a_configuration_task_that_is_needed_by_its_software_is_a_circle(tmp_path: Path) -> None:
    found = checked(tmp_path, x="winget: X\nprerequisites: [task/t]\nconfiguration: task/t\n")
    assert any("circle" in line for line in found)


TIE = "- {item: task/t, target: %s}\n- {item: task/t, target: %s}\n"


@pytest.mark.parametrize(
    ("deployments", "tied"),
    [
        ("- {item: task/t, target: all}\n- {item: task/t, target: laptops}\n", True),
        ("- {item: task/t, target: laptops}\n- {item: task/t, target: r1, scope: all}\n", False),
        ("- {item: task/t, target: all}\n- {item: task/t, target: laptops, priority: 1}\n", False),
        ("- {item: task/t, target: all}\n- {item: task/t, target: red}\n", False),
        ("- {item: task/t, target: red}\n- {item: task/t, target: blue}\n", False),
        ("- {item: task/t, target: all}\n- {item: task/t, target: all, instance: b}\n", False),
        ("- {item: task/t, target: all}\n- {item: task/t, target: all, where: facts.a == 1}\n", True),
        (
            "- {item: task/t, target: all, where: facts.a == 2}\n- {item: task/t, target: all, where: facts.a == 1}\n",
            False,
        ),
        (
            "- {item: task/t, target: all}\n- {item: task/t, target: all, where: inventory_hostname_short == 'zz'}\n",
            True,
        ),
        ("- {item: task/t, target: all}\n- {item: task/t, target: all, where: 1 == 2}\n", False),
    ],
)
def test_a_tie_is_an_error_where_both_can_hit_the_same_computer(tmp_path: Path, deployments: str, tied: bool) -> None:
    found = [line for line in checked(tmp_path, d=deployments) if "ties with" in line]
    assert bool(found) is tied
    if tied:
        assert found[0].startswith(f"{D}:2:3: error: ties with {D}:1:3: both deploy task/t to ")


def test_a_shadowed_deployment_is_a_note_with_the_winner(tmp_path: Path) -> None:
    found = checked(tmp_path, d=TIE % ("all", "red"))
    assert found == [
        f"{D}:1:3: note: is shadowed on 2 of its 4 computers by {D}:2:3; immy explain r1 task/t shows who wins"
    ]


PARAMETERS = (
    BASE[T]
    + """
parameters:
  name: {type: text, required: true}
  count: {type: number, default: 1}
  colour: {type: select, choices: [red, blue], default: red}
  pin: {type: secret}
"""
)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("{name: a}", None),
        ("{name: '{{ tenant }}', count: '{{ groups | length }}'}", None),
        ("{name: a, pin: {secret: env:PIN}}", None),
        ("{}", "error: task/t needs the parameter 'name' (text)"),
        ("{name: a, cout: 2}", "error: task/t has no parameter 'cout'; did you mean 'count'?"),
        ("{name: a, count: '2'}", "error: the value of 'count' is the text '2', but the parameter's type is number"),
        ("{name: a, count: true}", "is the boolean true, but the parameter's type is number"),
        ("{name: a, colour: green}", "is the text 'green', but the choices are red, blue"),
        ("{name: a, pin: abcd}", "error: 'pin' holds a secret in clear"),
    ],
)
def test_parameters_fit_their_declaration(tmp_path: Path, params: str, problem: str | None) -> None:
    found = checked(tmp_path, t=PARAMETERS, d=f"- {{item: task/t, target: all, params: {params}}}\n")
    assert (found == []) if problem is None else any(problem in line for line in found), found
    assert not any("abcd" in line for line in found)


@pytest.mark.parametrize("rest", ["mode: ignored", "mode: audit, enforcement: optional, params: {name: a}"])
def test_required_parameters_are_not_asked_of_what_does_nothing(tmp_path: Path, rest: str) -> None:
    assert checked(tmp_path, t=PARAMETERS, d=f"- {{item: task/t, target: all, {rest}}}\n") == []


def test_a_configuration_task_takes_its_parameters_from_the_software(tmp_path: Path) -> None:
    software = "winget: X\nconfiguration: task/t\n"
    given = "- {item: software/x, target: all, params: {name: a, count: 2}}\n"
    assert checked(tmp_path, x=software, t=PARAMETERS, d=given) == []
    missing = checked(tmp_path, x=software, t=PARAMETERS, d="- {item: software/x, target: all}\n")
    assert any("software/x needs the parameter 'name'" in line for line in missing)
    removed = checked(tmp_path, x=software, t=PARAMETERS, d="- {item: software/x, target: all, state: absent}\n")
    assert removed == []


def test_a_prerequisite_that_requires_parameters_is_a_warning(tmp_path: Path) -> None:
    found = checked(tmp_path, x="winget: X\nprerequisites: [task/t]\n", t=PARAMETERS)
    assert any("task/t requires name, and as a prerequisite it gets no parameters" in line for line in found)


def test_a_version_that_nobody_offers_is_a_warning(tmp_path: Path) -> None:
    text = "detect: {file: x}\nversions: [{version: '1.2'}, {version: '1.1'}]\n"
    found = checked(tmp_path, x=text, d="- {item: software/x, target: all, state: '1.20'}\n")
    assert any("software/x has no version 1.20; did you mean '1.2'?" in line for line in found)


@pytest.mark.parametrize(
    ("name", "script", "flagged"),
    [
        ("a.ps1", "Set-ItemProperty -Path HKLM:\\A -Name b -Value 1\n", "Set-ItemProperty"),
        ("a.ps1", "$x = 1\n  remove-item C:\\x\n", "remove-item"),
        ("a.ps1", "reg.exe add HKLM\\A /v b\n", "reg.exe add"),
        ("a.ps1", 'cmd /c "reg add HKLM\\A"\n', "reg add"),
        ("a.ps1", "Get-Service x | Stop-Service\n", "Stop-Service"),
        ("a.ps1", "msiexec /i x.msi\n", "msiexec"),
        ("a.ps1", "New-Object PSObject; Start-Sleep 1; Set-StrictMode -Version 2\n", None),
        ("a.ps1", "# Set-Item would change it\nWrite-Warning 'use Set-Item'\n<# Remove-Item #>\n", None),
        ("a.ps1", "reg query HKLM\\A\n", None),
        ("a.ps1", "$Set-Foo\n", None),
        ("a.sh", "rm -rf /tmp/x\n", "rm"),
        ("a.sh", "set -e\n\n  rm -f /tmp/x\n", "rm"),
        ("a.sh", "if true; then systemctl restart x; fi\n", "systemctl restart"),
        ("a.sh", "sudo apt-get -y install x\n", "apt-get -y install"),
        ("a.sh", "echo x > /etc/motd\n", "> /"),
        ("a.sh", "# rm -rf /\ndf -P / 2>/dev/null | awk '$4 > 10' && dpkg -l x >/dev/null 2>&1\n", None),
        ("a.sh", "systemctl is-active x; format rm; grep -c touch x\n", None),
    ],
)
def test_changing_commands_in_reading_scripts_are_flagged(
    tmp_path: Path, name: str, script: str, flagged: str | None
) -> None:
    files = {T: f"test: {name}\n", f"tasks/maintenance/t/{name}": script}
    found = [line for line in lint(tmp_path, files) if "should only read" in line]
    assert bool(found) is (flagged is not None), found
    if flagged is not None:
        assert f"warning: '{flagged}" in found[0]
        line = 1 + script[: script.index(flagged)].count("\n")
        assert found[0].startswith(f"tasks/maintenance/t/{name}:{line}:")


@pytest.mark.parametrize("piece", ["<#\n", "netsh ", "'\n", '"#', "reg ", "`\n", "winget "])
def test_powershell_of_any_kind_is_looked_through_in_linear_time(tmp_path: Path, piece: str) -> None:
    assert seconds_to_lint(tmp_path, "a.ps1", piece) < 3


@pytest.mark.parametrize("piece", ["sed -", ";apt -", "sudo ", "\n", " ", "sed -a -", "rm\n", ";", "\n ", ">'"])
def test_shell_of_any_kind_is_looked_through_in_linear_time(tmp_path: Path, piece: str) -> None:
    assert seconds_to_lint(tmp_path, "a.sh", piece) < 3


def seconds_to_lint(tmp_path: Path, name: str, piece: str) -> float:
    """The time that 60 kB of a script of these pieces take; what is quadratic takes minutes."""
    script = (piece * 60_000)[:60_000] + "\n"
    began = time.process_time()
    lint(tmp_path, {T: f"test: {name}\n", f"tasks/maintenance/t/{name}": script})
    return time.process_time() - began


def test_set_scripts_may_change_things(tmp_path: Path) -> None:
    files = {
        T: "test: test.ps1\nset: set.ps1\n",
        "tasks/maintenance/t/test.ps1": "$true\n",
        "tasks/maintenance/t/set.ps1": "Set-Item x y\n",
    }
    assert lint(tmp_path, files) == []


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ("{immy_options: {reboot: auto}}", "error: 'auto' stands where one of skip, automatic, prompt, force"),
        ("{immy_options: {rebot: skip}}", "error: unknown key 'rebot' in options"),
        ("{immy_options: {reboot: automatic, window: '22:00'}}", None),
        ("{immy_business_hours: sometimes}", "error: immy_business_hours: "),
        ("{immy_time_zone: Europe/Belin}", "error: immy_time_zone: "),
        ("{immy_time_zone: Europe/Berlin}", None),
        ("{immy_time_zone: W. Europe Standard Time}", None),
        ("{immy_options: {reboot: '{{ tenant }}'}}", None),
        ("{immy_bussiness_hours: x}", "warning: nobody reads a variable 'immy_bussiness_hours'; did you mean"),
        ("{immy_site: x}", None),
        ("{wifi_password: abcd}", "warning: 'wifi_password' holds a secret in clear"),
        ("{wifi_password: {secret: env:WIFI}}", None),
    ],
)
def test_own_variables_of_the_inventory_are_checked_once(tmp_path: Path, variables: str, problem: str | None) -> None:
    found = lint(tmp_path, {"inventory/group_vars/all.yml": variables + "\n"})
    assert len(found) == (0 if problem is None else 1), found
    if problem is not None:
        assert found[0].startswith("inventory/group_vars/all.yml:1:")
        assert problem in found[0]
        assert "abcd" not in found[0]


@pytest.mark.parametrize(
    "window",
    [
        "2030-01-31T22:00",
        "2030-01-31 22:00:30Z",
        "2030-01-31T22:00/PT4H",
        "2030-01-31T22:00+01:00/P1DT2H30M",
        "2030-01-31T22:00/2030-02-01T02:00",
        "2030-01-31T22:00+01:00/2030-02-01T02:00",
    ],
)
def test_a_window_is_written_without_quotes_as_on_the_command_line(tmp_path: Path, window: str) -> None:
    files = {**BASE, P: f"- hosts: all\n  options:\n    window: {window}\n"}
    assert not [line for line in lint(tmp_path, files) if "error" in line]


def test_a_window_in_variables_needs_hours_too(tmp_path: Path) -> None:
    variables = {"inventory/group_vars/red.yml": "immy_options: {window: after_hours}\n"}
    found = lint(tmp_path, {**BASE, **variables, P: "- {hosts: all}\n"})
    assert [line for line in found if "no business hours for r2;" in line]
    overridden = lint(tmp_path, {**BASE, **variables, P: "- {hosts: all, options: {window: now}}\n"})
    assert overridden == []


def test_ten_thousand_computers_and_five_hundred_deployments_are_checked_in_seconds(tmp_path: Path) -> None:
    tenants = "".join(f"[t{i}]\nt{i}-pc[001:100]\n" for i in range(100))
    children = "[tenants:children]\n" + "".join(f"t{i}\n" for i in range(100))
    deployments = "".join(f"- {{item: software/s{i % 50}, target: tenants}}\n" for i in range(50))
    deployments += "".join(
        f"- {{item: software/s{i % 50}, target: t{i % 100}, priority: {i}, where: facts.build == {i}}}\n"
        for i in range(450)
    )
    files = {f"tasks/software/s{i}/software.yml": "winget: X\n" for i in range(50)}
    root = fleet(tmp_path, {**files, "inventory/many": tenants + children, D: deployments})
    began = time.process_time()
    problems = problems_of(root)
    assert not [problem for problem in problems if problem.level is not Level.NOTE]
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("scripts", "mode", "missing"),
    [
        ("get", "audit", "'test'"),
        ("get", "enforce", "'test' and 'set'"),
        ("get", "monitor", None),
        ("test", "monitor", "'get'"),
        ("test", "enforce", "'set'"),
        ("test", "audit", None),
        ("test set", "enforce", None),
        ("get", "ignored", None),
    ],
)
def test_a_mode_that_a_tasks_scripts_cannot_do_is_an_error(
    tmp_path: Path, scripts: str, mode: str, missing: str | None
) -> None:
    names = scripts.split()
    files = {
        T: "".join(f"{name}: {name}.ps1\n" for name in names),
        **{f"tasks/maintenance/t/{name}.ps1": "1\n" for name in names},
        D: f"- {{item: task/t, target: all, mode: {mode}}}\n",
    }
    found = lint(tmp_path, files)
    assert len(found) == (0 if missing is None else 1)
    if missing is not None:
        assert f"cannot be in the mode {mode} on windows: it has no {missing}" in found[0]


def test_hosts_may_name_a_file_of_computers(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("r1\n# a comment\nblue\n")
    assert checked(tmp_path, p=f"- {{hosts: '@{names.as_posix()}'}}\n") == []
    found = checked(tmp_path, p=f"- {{hosts: '@{names.as_posix()}x'}}\n")
    assert any("names.txtx" in line and "error" in line for line in found)
