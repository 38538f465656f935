"""No text of a file or a computer stops `immy` or fills it: it says what is too much, where, and ends soon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.waiting import ENOUGH

from .fleets import IMMY, write

pytestmark = pytest.mark.slow

SOON = 60
"""Seconds in which each of these ends on a loaded machine; without bounds none does in minutes."""
INVENTORY = "tenants: {children: {red: {hosts: {pc1: {ansible_connection: local}}}}}\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 100))


def immy(root: Path, *arguments: str, expect: int = 2) -> str:
    done = warm.run([*IMMY, *arguments], cwd=root, timeout=SOON)
    said = done.stdout + done.stderr
    assert done.returncode == expect, said[-3000:]
    assert "Traceback" not in said
    assert "bug of immy" not in said
    return said


def lint(root: Path, files: dict[str, str], expect: int = 2) -> str:
    write(root, {"inventory/hosts.yml": INVENTORY, **files})
    return immy(root, "lint", expect=expect)


RULE = "playbooks/deployments/all.yml"
ITEM = "tasks/software/x/software.yml"
TOO_LARGE = {
    "laughs in an item": (ITEM, LAUGHS, "software.yml:5:5: error: the file has more than 100,000 values"),
    "laughs in an inventory": ("inventory/more.yml", LAUGHS, "more.yml:7:5: error: the file has more than 2,000,000"),
    "laughs in variables": ("inventory/group_vars/all.yml", LAUGHS, "all.yml:7:5: error: the file has more than 2,0"),
    "levels": (ITEM, "x: " + "[" * 5000, "software.yml:1:66: error: the file is nested deeper than 64 levels"),
    "levels behind aliases": (RULE, CHAIN, "error: the file is nested deeper than 64 levels"),
    "JSON's levels": ("inventory/more.json", '{"a": ' * 5000, "error: the file is nested deeper than 64 levels"),
    "values": (RULE, "[" + "x," * 100_001 + "]", "all.yml:1:199999: error: the file has more than 100,000 values"),
    "digits": (ITEM, "title: " + "9" * 4001, "software.yml:1:8: error: this number has more than 4,000 digits"),
    "hexadecimal digits": ("inventory/m.yml", f"a: {{vars: {{x: 0x{'f' * 4000}}}}}", "more than 4,000 digits"),
    "INI's digits": ("inventory/m.ini", f"pc9 x=0x{'f' * 5000}\n", "m.ini:1:1: error: a number here has more than"),
    "a range": ("inventory/m.ini", "pc[1:999999999]\n", "m.ini:1:1: error: the range 'pc[1:999999999]' has more than"),
    "a range in YAML": ("inventory/m.yml", "a: {hosts: {'pc[1:999999999]': }}", "m.yml:1:13: error: the range"),
    "ranges of ranges": ("inventory/m.ini", "pc[1:1000][a:z][1:1000]\n", "more than 1,000,000 computers"),
    "ranges together": (
        "inventory/m.ini",
        "a[1:200000]\n" + "a[1:1000000]\n",
        "m.ini:2:1: error: here the inventory has",
    ),
    "a bound": ("inventory/m.ini", f"pc[1:{'9' * 5000}]\n", "m.ini:1:1: error: the name"),
    "groups": (
        "inventory/m.ini",
        "".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(1100)) + "[g1100]\npc1\n",
        "more than 1,000 groups are above",
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_file_that_is_too_large_is_refused_at_its_place(tmp_path: Path, case: str) -> None:
    file, text, said = TOO_LARGE[case]
    assert said in lint(tmp_path, {file: text})


NO_LINEAR = {
    "lookahead": ("(?=a)", "lookaround is not supported ('(?=')"),
    "no lookahead": ("(?!a)", "lookaround is not supported ('(?!')"),
    "lookbehind": ("(?<=a)", "lookaround is not supported ('(?<=')"),
    "no lookbehind": ("(?<!a)", "lookaround is not supported ('(?<!')"),
    "a backreference": (r"(a)\1", r"backreferences are not supported ('\1')"),
    "a named backreference": ("(?P<n>a)(?P=n)", "backreferences are not supported ('(?P=')"),
    "an atomic group": ("(?>a)", "atomic groups are not supported"),
    "possessive repetition": ("a*+", "possessive repetition is not supported"),
    "repetitions": ("(a{1000}){1000}", "more than 1,000 repetitions are not supported"),
    "a large one": ("(a?b?c?){900}", "it is too large"),
    "an open bracket": ("(a", "missing )"),
}


@pytest.mark.parametrize("case", NO_LINEAR)
def test_an_expression_that_is_not_linear_is_refused_at_its_place(tmp_path: Path, case: str) -> None:
    regex, why = NO_LINEAR[case]
    doubled = regex.replace("\\", "\\\\")
    said = lint(
        tmp_path,
        {
            ITEM: f"detect: {{display_name_regex: '{regex}'}}\n",
            "tasks/software/y/software.yml": "winget: A.B\n",
            RULE: f"- {{item: software/y, target: '~{regex}', state: latest}}\n"
            f"- {{item: software/y, target: all, state: latest, where: \"'a' is string and "
            f"'b' | regex_search('{doubled}')\"}}\n".replace("\\\\", "\\\\\\\\"),
            "playbooks/book.yml": f"- hosts: '~{regex}'\n",
        },
    )
    wrong = [line for line in said.splitlines() if ": error: " in line and why in line]
    assert {line.split(": ")[0].rpartition(":")[0] for line in wrong} >= {f"{ITEM}:1", f"{RULE}:1", f"{RULE}:2"}
    assert any("playbooks/book.yml:1:" in line for line in wrong)


def test_evil_expressions_end_soon(tmp_path: Path) -> None:
    name = "a" * 200
    where = f"'{name}c' | regex_search('(a|aa)+$') != none"
    write(
        tmp_path,
        {
            "inventory/hosts.yml": f"tenants: {{children: {{red: {{hosts: {{{name}: , {name}b: }}}}}}}}\n",
            "tasks/software/y/software.yml": "winget: A.B\n",
            RULE: "- {item: software/y, target: '~(a+)+$', state: latest}\n"
            f'- {{item: software/y, target: all, state: latest, where: "{where}"}}\n',
        },
    )
    immy(tmp_path, "lint", expect=0)
    listed = immy(tmp_path, "inventory", "list", "~(a|a)*b$", expect=0).splitlines()
    assert [line.split()[0] for line in listed if line.startswith("aa")] == [f"{name}b"]


def test_conditions_that_are_too_much_work_are_named(tmp_path: Path) -> None:
    item = {"tasks/software/y/software.yml": "winget: A.B\n"}
    rule = "- {item: software/y, target: all, state: latest, where: \"('a' * 10**9) == 'b'\"}\n"
    write(tmp_path, {"inventory/hosts.yml": INVENTORY, **item, RULE: rule})
    said = immy(tmp_path, "explain", "pc1", "software/y", expect=0)
    assert "the result is longer than 1,000,000 characters" in said


ODD_PLACES = (
    "inventory/pipe.yml",
    "inventory/group_vars/all.yml",
    "inventory/host_vars/pc1/x.yml",
    "playbooks/book.yml",
    "playbooks/types.yml",
    "playbooks/schedules.yml",
    RULE,
    ITEM,
)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def plug(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


MAKERS = {
    fifo: "it is a named pipe, not a file",
    plug: "it is a socket, not a file",
    device: "it is a device, not a file",
    loop: "too many levels of symbolic links",
}


@pytest.mark.parametrize("place", ODD_PLACES)
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
@pytest.mark.sampled
def test_what_is_no_file_is_named_and_not_read(tmp_path: Path, place: str, make: object) -> None:
    write(tmp_path, {"inventory/hosts.yml": INVENTORY})
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    assert callable(make)
    make(path)
    said = immy(tmp_path, "lint").lower()
    assert f"{path.name}:1:1: error: " in said
    assert MAKERS[make] in said


def test_a_script_a_secret_a_list_of_names_and_freeze_are_not_read_either(tmp_path: Path) -> None:
    secret = "{hosts: {pc2: {ansible_connection: ssh, ansible_host: 127.9.9.9, ansible_password: {secret: 'file:pw'}}}}"
    files = {
        "inventory/hosts.yml": f"tenants: {{children: {{red: {secret}}}}}\n",
        "tasks/maintenance/y/task.yml": "test: test.sh\n",
        "playbooks/book.yml": "- {hosts: all, maintenance: inventory}\n",
    }
    write(tmp_path, files)
    for name in ("tasks/maintenance/y/test.sh", "pw", "names", "FREEZE"):
        os.mkfifo(tmp_path / name)
    assert "test.sh" in immy(tmp_path, "lint")
    assert "it is a named pipe" in immy(tmp_path, "inventory", "list", "@names").lower()
    (tmp_path / "tasks/maintenance/y/test.sh").unlink()
    (tmp_path / "tasks/maintenance/y/test.sh").write_text("true\n")
    said = immy(tmp_path, "run", "playbooks/book.yml", "--yes", "--limit", "@names")
    assert "it is a named pipe" in said.lower()


def test_a_folder_of_variables_that_contains_itself_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "inventory/group_vars/all"
    folder.mkdir(parents=True)
    (folder / "one").symlink_to(".")
    (folder / "two").symlink_to(".")
    assert "leads to a folder that is read already" in lint(tmp_path, {}, expect=0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_reading_of_a_large_inventory(tmp_path: Path, how: signal.Signals) -> None:
    write(tmp_path, {"inventory/m.ini": "".join(f"pc{number}\n" for number in range(400_000))})
    process = subprocess.Popen([*IMMY, "lint"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(how)
        assert process.wait(ENOUGH) != 0
    finally:
        process.kill()
        process.wait(ENOUGH)
