"""Reading operations against this machine: what they say, and that they say it in the wire's words."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from immy_nornir.model.items import Language, Platform
from immy_nornir.model.values import Json
from immy_nornir.model.wire import AnswerStatus, Effect, EffectOperation, Read, ReadOperation
from immy_nornir.remote import posix
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import ENOUGH

from .conftest import script

pytestmark = pytest.mark.slow

LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
DPKG = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg")


STEM = """case "$*" in
  *zoneinfo* | *right*) exec /bin/sed "$@" ;;
  *{0}) echo '{1}' ;;
esac"""
"""A sed that reads one file with this in it, and no other; pipes as always."""


def one(connection: PosixConnection, operation: ReadOperation) -> Json:
    answer = connection.read([operation])[operation.id]
    assert answer.status is AnswerStatus.OK, answer
    return answer.result


@LINUX
def test_identity_is_of_this_machine(each_shell: PosixConnection) -> None:
    identity = each_shell.identify()
    assert identity.name == platform.node().partition(".")[0]
    assert identity.platform is Platform.LINUX
    assert identity.boot.id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert identity.boot.time is not None
    assert identity.uuid_source in ("machine_id", "smbios", "")
    assert isinstance(identity.system["memory_gb"], float)
    assert identity.system["architecture"] in ("x64", "arm64", platform.machine())


@LINUX
def test_identity_as_an_operation_has_all_the_words_of_the_wire(connection: PosixConnection) -> None:
    result = one(connection, ReadOperation("i", Read.IDENTITY))
    assert isinstance(result, dict)
    words = "name domain uuid uuid_source platform boot pending_reboots users logons system"
    assert set(result) == set(words.split())
    system = result["system"]
    assert isinstance(system, dict)
    words = "os version build architecture chassis role memory_gb disk_free_gb manufacturer model powershell"
    assert set(system) == {*words.split(), "language_mode", "time", "time_zone"}


ZONES = {
    "a link": ({"readlink": "echo /usr/share/zoneinfo/Europe/Berlin"}, {}, "Europe/Berlin"),
    "a link on macOS": (
        {"readlink": "echo /private/var/db/timezone/tz/2026a.1.0/zoneinfo/America/Argentina/Salta"},
        {},
        "America/Argentina/Salta",
    ),
    "a macOS whose readlink does not follow": (
        {"readlink": '[ "$1" != -f ] && echo /var/db/timezone/zoneinfo/Asia/Kolkata'},
        {},
        "Asia/Kolkata",
    ),
    "with leap seconds": ({"readlink": "echo ../usr/share/zoneinfo/right/Europe/Paris"}, {}, "Europe/Paris"),
    "a copy that Debian names": (
        {"readlink": "echo /etc/localtime", "sed": STEM.format("/etc/timezone", "Europe/Madrid")},
        {"TZ": "Asia/Tokyo"},
        "Europe/Madrid",
    ),
    "a copy that Red Hat names": (
        {"readlink": "echo /etc/localtime", "sed": STEM.format("/etc/sysconfig/clock", "Europe/Rome")},
        {},
        "Europe/Rome",
    ),
    "a copy that systemd knows": (
        {"readlink": "echo /etc/localtime", "sed": STEM.format("-", ""), "timedatectl": "echo Europe/Oslo"},
        {},
        "Europe/Oslo",
    ),
    "only the environment": (
        {"readlink": "exit 1", "sed": STEM.format("-", ""), "timedatectl": "exit 1"},
        {"TZ": ":Pacific/Chatham"},
        "Pacific/Chatham",
    ),
}
"""Programs that stand in, environment -> the zone."""


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_time_zone_is_what_the_system_says_of_its_clock(tmp_path: Path, shell: str, name: str) -> None:
    programs, environment, zone = ZONES[name]
    for program, text in programs.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    scripts = Path(posix.__file__).parent / "scripts"
    text = "".join((scripts / f).read_text() for f in ("tools.sh", "reads.sh")) + "\nimmy_time_zone\n"
    done = subprocess.run(
        [shell],
        input=text,
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment},
    )
    assert (done.stdout, done.stderr) == (f"{zone}\n", "")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("printf hello", "hello"),
        ("echo hello", "hello"),
        ("printf 'a\\nb\\n\\n'", "a\nb\n"),
        ("echo '{\"a\": [1, true, null]}'", {"a": [1, True, None]}),
        ("echo 1.10", "1.10"),
        ("echo 24.08", 24.08),
        ("echo 7", 7),
        ("echo 1e999", "1e999"),
        ("echo NaN", "NaN"),
        ("echo 'true'", True),
        ("true", None),
        ("printf 'gr\\303\\274n'", "grün"),
        ("read line || echo nothing on stdin", "nothing on stdin"),
        ("cat; echo done", "done"),
        ("#!/usr/bin/env bash\nx=(one two); echo ${x[1]}", "two"),
        ("#!/bin/sh -e\nfalse || echo went on", "went on"),
        ("case $- in *x*) ;; esac; echo $0 | grep -q immy && echo named", "named"),
    ],
)
def test_a_script_prints_its_result(connection: PosixConnection, text: str, result: Json) -> None:
    assert one(connection, script(text)) == result


def test_parameters_arrive_unchanged(each_shell: PosixConnection) -> None:
    strange = 'it\'s "quoted" $HOME `id` \\n ü 日本\tand\nlines\n\n'
    text = 'printf %s "$IMMY_TEXT"'
    assert one(each_shell, script(text, params={"text": json.dumps(strange)})) == strange
    assert one(each_shell, script(text + "; printf x", params={"text": strange})) == strange + "x"
    params: dict[str, Json] = {"a-b": 1, "on": True, "no": None, "l": [1, "ü"], "m": {"k": 2}}
    result = one(each_shell, script('echo "$IMMY_A_B|$IMMY_ON|$IMMY_NO|$IMMY_L|$IMMY_M"', params=params))
    assert result == '1|true||[1, "ü"]|{"k": 2}'


@pytest.mark.parametrize(
    ("text", "purpose", "status", "result"),
    [
        ("exit 0", "test", "ok", True),
        ("exit 1", "test", "ok", False),
        ("exit 2", "test", "failed", None),
        ("echo false", "test", "ok", False),
        ("echo why; exit 1", "test", "failed", None),
        ("exit 1", "detect", "failed", None),
        ("exit 0", "detect", "ok", None),
        ("echo '" + "[" * 40 + "]" * 40 + "'", "get", "failed", None),
    ],
)
def test_exit_codes_mean_what_the_purpose_says(
    connection: PosixConnection, text: str, purpose: str, status: str, result: Json
) -> None:
    answer = connection.read([script(text, purpose=purpose)])["s"]
    assert (answer.status, answer.result) == (status, result)


def test_a_failure_carries_its_exit_code_and_evidence(connection: PosixConnection) -> None:
    answer = connection.read([script("echo seen; echo bad >&2; exit 7")])["s"]
    assert (answer.status, answer.exit_code, answer.error) == (AnswerStatus.FAILED, 7, "exit code 7: bad")
    assert answer.output == "seen\nbad"
    fine = connection.read([script("echo beside >&2; echo 1")])["s"]
    assert (fine.result, fine.output) == (1, "beside\n")


def test_results_up_to_a_megabyte_pass_and_larger_ones_fail_alone(connection: PosixConnection) -> None:
    text = "head -c %d /dev/zero | tr '\\0' a"
    answers = connection.read([script(text % 1_000_000, "fits"), script(text % 1_100_000, "large"), script("echo 1")])
    assert answers["fits"].result == "a" * 1_000_000
    assert answers["large"].status is AnswerStatus.FAILED
    assert "1048576" in answers["large"].error
    assert answers["s"].result == 1


def test_files_by_path(each_shell: PosixConnection, tmp_path: Path) -> None:
    strange = tmp_path / "a 'b' \"c\" ü\nd"
    strange.write_bytes(b"content\n")
    strange.chmod(0o640)
    gone = str(tmp_path / "gone")
    result = one(each_shell, ReadOperation("f", Read.FILE, {"paths": [str(strange), gone, str(tmp_path)]}))
    digest = hashlib.sha256(b"content\n").hexdigest()
    assert isinstance(result, dict)
    assert result[str(strange)] == {"sha256": digest, "size": 8, "version": None, "mode": "0640"}
    assert result[gone] is None
    folder = result[str(tmp_path)]
    assert isinstance(folder, dict)
    assert folder["sha256"] is None


@DPKG
def test_packages_are_what_dpkg_says(connection: PosixConnection) -> None:
    version = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", "dpkg"], capture_output=True, text=True, check=True, timeout=ENOUGH
    )
    result = one(connection, ReadOperation("p", Read.PACKAGES, {"manager": "apt", "names": ["dpkg", "no-such-thing"]}))
    assert isinstance(result, dict)
    dpkg = result["dpkg"]
    assert isinstance(dpkg, dict)
    assert dpkg["installed"] == version.stdout
    assert result["no-such-thing"] == {"installed": None, "candidate": None}


@DPKG
def test_software_lists_every_package_once(connection: PosixConnection) -> None:
    result = one(connection, ReadOperation("s", Read.SOFTWARE))
    assert isinstance(result, list)
    entries = [entry for entry in result if isinstance(entry, dict) and entry["name"] == "dpkg"]
    assert len(entries) == 1
    words = "key scope view sid name version publisher product_code uninstall quiet_uninstall location install_date"
    assert set(entries[0]) == {*words.split(), "system_component", "upgrade_code"}
    assert str(entries[0]["publisher"]).startswith("Dpkg Developers")
    count = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Abbrev}\n"], capture_output=True, text=True, check=True, timeout=ENOUGH
    )
    listed = [one for one in result if isinstance(one, dict) and str(one["key"]).startswith("dpkg/")]
    assert len(listed) == sum(line[1:2] == "i" for line in count.stdout.splitlines())


@LINUX
def test_facts_by_section(connection: PosixConnection) -> None:
    result = one(connection, ReadOperation("f", Read.FACTS, {"sections": ["hardware", "network", "users"]}))
    assert isinstance(result, dict)
    hardware, network, users = result["hardware"], result["network"], result["users"]
    assert isinstance(hardware, dict)
    assert hardware["cores"] == os.cpu_count()
    assert isinstance(network, dict)
    assert re.search(r"127\.0\.0\.1", json.dumps(network["adapters"]))
    assert isinstance(users, dict)
    assert "root" in json.dumps(users["profiles"])


def test_a_service_that_is_none_is_null(connection: PosixConnection) -> None:
    assert one(connection, ReadOperation("s", Read.SERVICE, {"names": ["no-such-service"]})) == {
        "no-such-service": None
    }


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (ReadOperation("x", Read.REGISTRY, {"values": []}), "Windows"),
        (ReadOperation("x", Read.DRIVER, {"name": "x"}), "Windows"),
        (ReadOperation("x", Read.PACKAGES, {"manager": "winget", "names": ["x"]}), "winget"),
        (ReadOperation("x", Read.PACKAGES, {"manager": "brew; id", "names": ["x"]}), "brew; id"),
        (ReadOperation("x", Read.FACTS, {"sections": ["moon"]}), "moon"),
        (ReadOperation("x", Read.FILE, {"paths": "/etc"}), "paths"),
        (ReadOperation("x", Read.SCRIPT, {}, "Get-Date", Language.POWERSHELL), "powershell"),
        (ReadOperation("x", Read.SCRIPT, {"params": {"a": "\0"}}, "true", Language.SH), "NUL"),
        (ReadOperation("x", Read.SCRIPT, {"params": {"a": "x" * 200_000}}, "true", Language.SH), "longer"),
    ],
)
def test_what_cannot_be_read_fails_alone_and_says_why(
    connection: PosixConnection, operation: ReadOperation, says: str
) -> None:
    answers = connection.read([operation, script("echo 1")])
    assert answers["x"].status is AnswerStatus.FAILED
    assert says in answers["x"].error
    assert answers["s"].result == 1


def test_an_effect_cannot_be_read(connection: PosixConnection) -> None:
    with pytest.raises(TypeError):
        connection.read([EffectOperation("x", Effect.REBOOT)])  # type: ignore[list-item]
