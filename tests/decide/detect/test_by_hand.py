"""Reading operations -> what looks at the same by hand; for Windows it is tried in a PowerShell where there is one."""

from __future__ import annotations

import subprocess

import pytest

from immy_nornir.decide.detect.by_hand import looked_at
from immy_nornir.model.items import Language, Platform
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Read, ReadOperation
from tests.powershell import PWSH, needs_pwsh

WINDOWS, LINUX, MACOS = Platform.WINDOWS, Platform.LINUX, Platform.MACOS
REGISTRY: list[Json] = [{"key": r"HKLM\SOFTWARE\O'Brien", "name": ""}, {"key": r"HKCU\Software\A", "name": "b"}]
OPERATIONS: dict[str, tuple[ReadOperation, Platform, str]] = {
    "registry": (
        ReadOperation("registry", Read.REGISTRY, {"values": REGISTRY}),
        WINDOWS,
        "-LiteralPath 'Registry::HKEY_LOCAL_MACHINE\\SOFTWARE\\O''Brien' -Name '(default)'",
    ),
    "registry of users": (
        ReadOperation("registry", Read.REGISTRY, {"values": REGISTRY}),
        WINDOWS,
        "-Path 'Registry::HKEY_USERS\\*\\Software\\A' -Name 'b'",
    ),
    "software": (ReadOperation("software", Read.SOFTWARE), WINDOWS, "DisplayVersion"),
    "service": (ReadOperation("service", Read.SERVICE, {"names": ["a'b"]}), WINDOWS, "Name=''a\\''b''"),
    "file": (ReadOperation("file", Read.FILE, {"paths": [r"%ProgramFiles%\it's"]}), WINDOWS, "'%ProgramFiles%\\it''s'"),
    "winget": (
        ReadOperation("p", Read.PACKAGES, {"manager": "winget", "names": ["A.B"]}),
        WINDOWS,
        "winget list --id 'A.B' --exact",
    ),
    "driver": (ReadOperation("driver:x", Read.DRIVER, {"name": "x*"}), WINDOWS, "-like 'x*'"),
    "script": (
        ReadOperation("test:t", Read.SCRIPT, {"params": {"a": True}}, "exit 1", Language.POWERSHELL),
        WINDOWS,
        "$a = $true\n& {\nexit 1\n}",
    ),
    "systemd": (ReadOperation("service", Read.SERVICE, {"names": ["a b"]}), LINUX, "systemctl show"),
    "launchd": (ReadOperation("service", Read.SERVICE, {"names": ["a"]}), MACOS, "launchctl print system/'a'"),
    "files": (ReadOperation("file", Read.FILE, {"paths": ["/it's"]}), LINUX, "ls -ld -- '/it'\\''s'; sha256sum"),
    "apt": (ReadOperation("p", Read.PACKAGES, {"manager": "apt", "names": ["a"]}), LINUX, "dpkg-query -W"),
    "brew": (ReadOperation("p", Read.PACKAGES, {"manager": "brew", "names": ["a"]}), MACOS, "brew list --versions 'a'"),
    "shell script": (
        ReadOperation("test:t", Read.SCRIPT, {"params": {"a": "x y"}}, "exit 1", Language.SH),
        LINUX,
        "export IMMY_A='x y'\n(\nexit 1\n)",
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_looks_at_the_same_by_hand(name: str) -> None:
    operation, platform, part = OPERATIONS[name]
    assert part in "\n".join(looked_at(operation, platform))


@pytest.mark.parametrize("name", [name for name, (_, platform, _) in OPERATIONS.items() if platform is not WINDOWS])
def test_a_shell_can_read_it(name: str) -> None:
    operation, platform, _ = OPERATIONS[name]
    text = "\n".join(looked_at(operation, platform))
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False, timeout=20).returncode == 0


@needs_pwsh
def test_powershell_can_read_all_of_it() -> None:
    lines = [
        line for one, platform, _ in OPERATIONS.values() if platform is WINDOWS for line in looked_at(one, platform)
    ]
    text = "\n".join(lines).replace("'", "''")
    check = f"[void][scriptblock]::Create('{text}'); 'sound'"
    done = subprocess.run(
        [PWSH, "-NoProfile", "-Command", check], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "sound", done.stderr
